-- Gives a running job back to its queue, not counted as a delivery: 'ok' (also when sent again) or 'fenced'.

local id, epoch = ARGV[1], ARGV[2]
local job = read(id)
if job and job.released == epoch then
  return 'ok'
end
if not job or job.epoch ~= epoch or job.state ~= 'running' then
  return 'fenced'
end
local claims = job.claims - 1
redis.call('HSET', 'job:' .. id, 'released', epoch, 'deliveries', job.deliveries - 1, 'claims', claims)
if job.cancel == '1' then
  close(job, 'cancelled', 'cancelled', 'null')
else
  local is_cleared = job.seq ~= job.seq_at_claim and claims < SUSPECT_CLAIMS
  requeue(job, now_ms(), job.quarantined == '1' and not is_cleared)
end
return 'ok'
