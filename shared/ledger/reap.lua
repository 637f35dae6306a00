-- One round of repair by the worker that holds the lock: leases that ended, hints that were lost, deadlines that passed,
-- jobs that nobody attends to.
-- Answers {0}, or {1, requeued, unhinted, overtaken, expired, dead, abandoned}. The first three hold for each job its id,
-- model, priority, 1 if it has tokens already, and traceparent. Overtaken are those whose hint is lost for certain.

local worker, lock_ms, grace_ms, late, lost = unpack(ARGV)
local PER_ROUND = 64      -- of each kind, so that a round never holds Redis for long
local MAX_GAP_MS = 2000   -- between rounds by anybody: a dead reaper's lock takes 1 s to be free
local OVERTAKEN_MS = 1000 -- hints of the same second may change places on their way
local owner = redis.call('GET', 'reaper')
if owner and owner ~= worker then
  return { 0 }
end
redis.call('SET', 'reaper', worker, 'PX', lock_ms)
local now = now_ms()
local requeued, unhinted, overtaken, expired, dead, abandoned = {}, {}, {}, {}, {}, {}

-- After a longer gap Redis or all workers were away and nobody could renew or attend: they get time to do so now.
local function grace_ends_ms()
  local seen = redis.call('HMGET', 'reaper:run', 'last_ms', 'after_ms')
  local after_ms = tonumber(seen[2] or 0)
  if seen[1] and now - seen[1] > MAX_GAP_MS then
    after_ms = now + grace_ms
  end
  after_ms = math.min(after_ms, now + grace_ms)  -- the clock may have been set back
  redis.call('HSET', 'reaper:run', 'last_ms', now, 'after_ms', after_ms)
  return after_ms
end

local function is_suspect(job)
  local is_stuck = job.seq == job.seq_at_claim and tonumber(job.deliveries) >= SUSPECT_DELIVERIES
  return is_stuck or tonumber(job.claims) >= SUSPECT_CLAIMS
end

-- Only a job that was lost while it ran alone is guilty: its neighbours die with it as often as it does.
local function is_poison(job)
  local is_stuck = job.seq == job.seq_at_claim and tonumber(job.deliveries) >= MAX_DELIVERIES
  return job.alone == '1' and (is_stuck or tonumber(job.claims) >= MAX_CLAIMS)
end

local function give_up(job)
  redis.call('XADD', 'jobs:dead', 'MAXLEN', '~', 10000, '*', 'job_id', job.id, 'tenant_id', job.tenant,
    'model', job.model, 'deliveries', job.deliveries, 'claims', job.claims, 'worker', job.worker, 'last_seq', job.seq)
  close(job, 'dead', 'error', lost)
  dead[#dead + 1] = job.id
end

local function expire(job)
  close(job, 'expired', 'error', late)
  expired[#expired + 1] = job.id
end

local function add(list, job)
  list[#list + 1] = job.id
  list[#list + 1] = job.model
  list[#list + 1] = job.priority
  list[#list + 1] = job.seq == '0' and 0 or 1
  list[#list + 1] = job.traceparent
end

local function reap_lease(id)
  local job = read(id)
  if not job or job.state ~= 'running' then
    redis.call('ZREM', 'jobs:leases', id)
  elseif job.cancel == '1' then
    close(job, 'cancelled', 'cancelled', 'null')
  elseif tonumber(job.deadline_ms) <= now then
    expire(job)
  elseif is_poison(job) then
    give_up(job)
  else
    requeue(job, now, is_suspect(job))
    add(requeued, job)
  end
end

local function is_overtaken(job)
  local turn_ms = redis.call('GET', 'turn:' .. job.queue .. ':' .. job.priority)
  return turn_ms and job.accepted_ms + OVERTAKEN_MS < tonumber(turn_ms)
end

local function check_hint(id)
  local job = read(id)
  if not job or job.state ~= 'queued' then
    redis.call('ZREM', 'jobs:hints', id)
  elseif tonumber(job.deadline_ms) <= now then
    expire(job)
  else
    local wait_ms = math.min(HINT_WAIT_MAX_MS, job.hint_wait_ms * 2)
    redis.call('HSET', 'job:' .. id, 'hint_wait_ms', wait_ms)
    redis.call('ZADD', 'jobs:hints', math.min(now + wait_ms, job.deadline_ms), id)
    add(is_overtaken(job) and overtaken or unhinted, job)
  end
end

local function abandon(id)
  redis.call('ZREM', 'jobs:attended', id)
  local job = read(id)
  if not job or (job.state ~= 'queued' and job.state ~= 'running') then
    return
  end
  redis.call('HSET', 'job:' .. id, 'cancel', 1)
  if job.state == 'queued' then
    close(job, 'cancelled', 'cancelled', 'null')
  end
  abandoned[#abandoned + 1] = id
end

local function each_due(key, act)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, PER_ROUND)) do
    act(id)
  end
end

local after_ms = grace_ends_ms()
if now >= after_ms then
  each_due('jobs:leases', reap_lease)
end
each_due('jobs:hints', check_hint)
if now >= after_ms + MIN_GRACE_MS then
  each_due('jobs:attended', abandon)
end
return { 1, requeued, unhinted, overtaken, expired, dead, abandoned }
