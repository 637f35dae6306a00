-- Gives a queued job to a worker: {'ok', epoch, seq, deadline, payload}, or {reason} when there is nothing to do.

local id, worker, claim_id, lease_ms, late = unpack(ARGV)
local job, now = read(id), now_ms()
if not job then
  return { 'gone' }
end
if job.state == 'running' then
  if job.claim_id ~= claim_id then
    return { 'leased' }
  end
  -- The same claim again: its answer was lost on the way.
  redis.call('ZADD', 'jobs:leases', now + lease_ms, id)
  return { 'ok', job.epoch, job.seq, job.deadline_ms, redis.call('HGET', 'job:' .. id, 'payload') }
end
if job.state ~= 'queued' then
  return { (job.state == 'dead' or job.state == 'expired') and job.state or 'final' }
end
if tonumber(job.deadline_ms) <= now then
  close(job, 'expired', 'error', late)
  return { 'expired' }
end

local epoch = tostring(job.epoch + 1)
local deliveries = job.seq == job.seq_at_claim and job.deliveries + 1 or 1
redis.call('HSET', 'job:' .. id, 'state', 'running', 'epoch', epoch, 'claim_id', claim_id, 'worker', worker,
  'seq_at_claim', job.seq, 'deliveries', deliveries, 'claims', job.claims + 1)
redis.call('ZREM', 'jobs:queued:' .. job.queue, id)
redis.call('ZREM', 'jobs:hints', id)
redis.call('ZADD', 'jobs:leases', now + lease_ms, id)
return { 'ok', epoch, job.seq, job.deadline_ms, redis.call('HGET', 'job:' .. id, 'payload') }
