-- Gives a running job back to its queue, not counted as a delivery: 'ok' (also when sent again) or 'fenced'.

local id, epoch = ARGV[1], ARGV[2]
local job = read(id)
if job and job.released == epoch then
  return 'ok'
end
if not job or job.epoch ~= epoch or job.state ~= 'running' then
  return 'fenced'
end
redis.call('HSET', 'job:' .. id, 'released', epoch, 'deliveries', job.deliveries - 1, 'claims', job.claims - 1)
if job.cancel == '1' then
  close(job, 'cancelled', 'cancelled', 'null')
else
  requeue(job, now_ms())
end
return 'ok'
