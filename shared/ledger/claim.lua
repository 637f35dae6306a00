-- Gives a queued job to a worker, or answers {reason, model} when there is nothing to do. `is_alone`: no other job runs
-- in that worker, and none will until this one has made progress or, with the answer's `stays_alone`, has ended.
-- Answers {'ok', epoch, seq, deadline, payload, stays_alone, prompt tokens as far as they are known, how many tokens of
-- the log are none of the answer's}.

local id, worker, claim_id, lease_ms, is_alone, late = unpack(ARGV)
local job, now = read(id), now_ms()
if not job then
  return { 'gone' }
end

local function answer(epoch, stays_alone)
  redis.call('ZADD', 'jobs:leases', now + lease_ms, id)
  return { 'ok', epoch, job.seq, job.deadline_ms, redis.call('HGET', 'job:' .. id, 'payload'), stays_alone,
    job.prompt or 0, job.uncounted or 0 }
end

if job.state == 'running' then
  if job.claim_id ~= claim_id then
    return { 'leased' }
  end
  -- The same claim again: its answer was lost on the way.
  return answer(job.epoch, tonumber(job.claims) > SUSPECT_CLAIMS and 1 or 0)
end
if job.state ~= 'queued' then
  return { (job.state == 'dead' or job.state == 'expired') and job.state or 'final' }
end
if tonumber(job.deadline_ms) <= now then
  close(job, 'expired', 'error', late)
  return { 'expired' }
end
if job.quarantined == '1' and is_alone ~= '1' then
  return { 'quarantined', job.model }
end

local epoch = tostring(job.epoch + 1)
local deliveries = job.seq == job.seq_at_claim and job.deliveries + 1 or 1
redis.call('HSET', 'job:' .. id, 'state', 'running', 'epoch', epoch, 'claim_id', claim_id, 'worker', worker,
  'seq_at_claim', job.seq, 'deliveries', deliveries, 'claims', job.claims + 1, 'alone', is_alone)
dequeue(job)
if job.claims == '0' then
  -- Hints travel in the order of the jobs, so an older job of this queue that still waits has lost its hint.
  redis.call('SET', 'turn:' .. job.queue .. ':' .. job.priority, job.accepted_ms, 'PX', TURN_MS)
end
return answer(epoch, job.claims + 1 > SUSPECT_CLAIMS and 1 or 0)
