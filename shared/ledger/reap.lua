-- One round of repair by the worker that holds the lock: leases that ended, hints that were lost, deadlines that passed.
-- Answers {0}, or {1, requeued, unhinted, expired, dead}; the first two alternate job id and model.

local worker, lock_ms, grace_ms, late, lost = unpack(ARGV)
local PER_ROUND = 64  -- of each kind, so that a round never holds Redis for long
local owner = redis.call('GET', 'reaper')
if owner and owner ~= worker then
  return { 0 }
end
redis.call('SET', 'reaper', worker, 'PX', lock_ms)
local now = now_ms()
local requeued, unhinted, expired, dead = {}, {}, {}, {}

-- While Redis was away nobody could renew: after its restart the workers get time to do so before their jobs are taken.
local function is_in_grace()
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  local seen = redis.call('HMGET', 'reaper:run', 'run_id', 'after_ms')
  if seen[1] == run_id then
    return now < tonumber(seen[2])
  end
  redis.call('HSET', 'reaper:run', 'run_id', run_id, 'after_ms', seen[1] and now + grace_ms or now)
  return seen[1] and true or false
end

local function is_poison(job)
  local is_stuck = job.seq == job.seq_at_claim and tonumber(job.deliveries) >= MAX_DELIVERIES
  return is_stuck or tonumber(job.claims) >= MAX_CLAIMS
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
    requeue(job, now)
    add(requeued, job)
  end
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
    add(unhinted, job)
  end
end

if not is_in_grace() then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'jobs:leases', '-inf', now, 'LIMIT', 0, PER_ROUND)) do
    reap_lease(id)
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'jobs:hints', '-inf', now, 'LIMIT', 0, PER_ROUND)) do
  check_hint(id)
end
return { 1, requeued, unhinted, expired, dead }
