-- What several scripts share; it is prepended to them when they are loaded.
-- Keys are built here and not passed as KEYS: the job itself says which queue and which API key's limits it holds, and
-- the ledger lives on one primary (kombu cannot use a cluster either).

local LOG_TTL_MS = 3600000         -- the log of a final job that nobody has stored yet
local STORED_LOG_TTL_MS = 120000   -- enough for a client that resumes
local TOMBSTONE_MS = 600000        -- the job outlives its log, so that "expired" can be told from "never was"
local IDEMPOTENCY_MS = 86400000    -- as long as clients may retry with the same key
local HINT_WAIT_MS = 1000          -- a queued job's hint counts as lost after this
local TURN_MS = 10000              -- so long it is known how far the hints of a queue have got
local HINT_WAIT_MAX_MS = 4000      -- doubled up to this, so that a long queue does not fill every round of the reaper
local SUSPECT_DELIVERIES = 2       -- lost so often without progress, a job runs on only alone: see PROTOCOL §8
local SUSPECT_CLAIMS = 8           -- lost so often with progress, too: its neighbours died with it as often
local MAX_DELIVERIES = 3           -- without progress, the last one alone
local MAX_CLAIMS = 10              -- with progress, too, the last one alone
local MIN_GRACE_MS = 5000          -- gateways attend every 2 s, and one call may fail
local MINUTE_US = 60e6

local FIELDS = {
  'state', 'epoch', 'seq', 'cancel', 'deadline_ms', 'tenant', 'key', 'model', 'queue', 'session', 'prompt_bound',
  'reserved', 'tpm', 'accepted_ms', 'claim_id', 'worker', 'seq_at_claim', 'deliveries', 'claims', 'released',
  'is_idempotent', 'hint_wait_ms', 'priority', 'resume_grace_ms', 'quarantined', 'alone', 'prompt', 'uncounted',
  'traceparent',
}

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1e6 + time[2]
end

local function now_ms()
  return math.floor(now_us() / 1000)
end

local function read(id)
  local values = redis.call('HMGET', 'job:' .. id, unpack(FIELDS))
  if not values[1] then
    return nil
  end
  local job = { id = id }
  for i, name in ipairs(FIELDS) do
    job[name] = values[i]
  end
  -- A gateway of an earlier version wrote neither.
  job.priority, job.traceparent = job.priority or 'interactive', job.traceparent or ''
  return job
end

-- A limit is a leaky bucket (GCRA's other form): `taken` of `limit`, which drains by `limit` a minute.
local function taken(key, limit, now)
  local bucket = redis.call('HMGET', key, 'taken', 'at_us')
  if not bucket[1] then
    return 0
  end
  return math.max(0, bucket[1] - (now - bucket[2]) * limit / MINUTE_US)
end

local function set_taken(key, limit, level, now)
  if level <= 0 or limit <= 0 then
    redis.call('DEL', key)
    return
  end
  redis.call('HSET', key, 'taken', level, 'at_us', now)
  redis.call('PEXPIRE', key, math.ceil(level / limit * 60000) + 1000)
end

-- What the job reserved and did not use goes back to its API key; its concurrency slot is free again.
local function settle_limits(job, used)
  redis.call('ZREM', 'rl:' .. job.key .. ':c', job.id)
  local limit = tonumber(job.tpm)
  if limit >= 0 then
    local key, now = 'rl:' .. job.key .. ':t', now_us()
    set_taken(key, limit, taken(key, limit, now) + used - job.reserved, now)
  end
end

-- A job that no gateway attends to for its grace is abandoned.
local function attend(id, grace_ms, now)
  if tonumber(grace_ms) >= 0 then
    redis.call('ZADD', 'jobs:attended', now + math.max(MIN_GRACE_MS, grace_ms), id)
  end
end

-- Into the indexes of the jobs that wait, at the place that its age gives it.
local function enqueue(job, now)
  redis.call('ZADD', 'jobs:queued:' .. job.queue, job.accepted_ms, job.id)
  redis.call('ZADD', 'jobs:hints', math.min(now + HINT_WAIT_MS, job.deadline_ms), job.id)
  if job.priority == 'batch' then
    redis.call('ZADD', 'jobs:batch:' .. job.queue, job.accepted_ms, job.id)
  end
  if job.quarantined == '1' then
    redis.call('ZADD', 'jobs:quarantined:' .. job.queue, job.accepted_ms, job.id)
  end
end

local function dequeue(job)
  redis.call('ZREM', 'jobs:queued:' .. job.queue, job.id)
  redis.call('ZREM', 'jobs:hints', job.id)
  if job.priority == 'batch' then
    redis.call('ZREM', 'jobs:batch:' .. job.queue, job.id)
  end
  if job.quarantined == '1' then
    redis.call('ZREM', 'jobs:quarantined:' .. job.queue, job.id)
  end
end

-- The one way into a final state: the final event, the outbox entry, the limits, the indexes and the TTLs together.
-- `final` has state, reason, event (its JSON), err (JSON), prompt, completion and cached tokens.
local function finalise(job, final)
  local key, now = 'job:' .. job.id, now_ms()
  redis.call('XADD', 'tok:' .. job.id, job.seq .. '-1', 'd', final.event)
  redis.call('PUBLISH', 'c:' .. job.id, final.event)
  redis.call('XADD', 'turns:final', '*', 'job_id', job.id, 'tenant_id', job.tenant, 'key_id', job.key,
    'model', job.model, 'session_id', job.session, 'state', final.state, 'finish_reason', final.reason,
    'prompt_tokens', final.prompt, 'completion_tokens', final.completion, 'cached_tokens', final.cached,
    'last_seq', job.seq, 'accepted_ms', job.accepted_ms, 'finished_ms', now, 'error', final.err,
    'traceparent', job.traceparent)
  dequeue(job)
  redis.call('ZREM', 'jobs:leases', job.id)
  redis.call('ZREM', 'jobs:attended', job.id)
  settle_limits(job, final.prompt + final.completion)
  redis.call('HSET', key, 'state', final.state, 'epoch', job.epoch, 'finish_reason', final.reason,
    'prompt_tokens', final.prompt, 'completion_tokens', final.completion, 'cached_tokens', final.cached,
    'used', final.prompt + final.completion, 'finished_ms', now)
  redis.call('HDEL', key, 'payload')
  redis.call('PEXPIRE', 'tok:' .. job.id, LOG_TTL_MS)
  redis.call('PEXPIRE', key, job.is_idempotent == '1' and IDEMPOTENCY_MS or LOG_TTL_MS + TOMBSTONE_MS)
end

-- Ends a job that no worker holds any more. The new epoch is nobody's, so every late writer is fenced.
local function close(job, state, reason, err)
  job.epoch = job.epoch + 1
  -- A worker that had tokenized the prompt has said so with a renewal; else the bound is all that is known.
  local prompt = tonumber(job.prompt or (job.seq == '0' and 0 or job.prompt_bound))
  local completion = math.max(0, job.seq - (job.uncounted or 0))
  local event = string.format('{"j":%s,"s":%s,"e":%d,"x":"","r":"%s","u":[%d,%d,0],"err":%s}',
    cjson.encode(job.id), job.seq, job.epoch, reason, prompt, completion, err)
  finalise(job, {
    state = state, reason = reason, event = event, err = err, prompt = prompt, completion = completion, cached = 0,
  })
end

-- Back to the queue, at its old place and with its tokens, for whoever claims it next.
local function requeue(job, now, is_suspect)
  job.quarantined = is_suspect and '1' or '0'
  redis.call('HSET', 'job:' .. job.id, 'state', 'queued', 'epoch', job.epoch + 1, 'hint_wait_ms', HINT_WAIT_MS,
    'quarantined', job.quarantined)
  redis.call('ZREM', 'jobs:leases', job.id)
  enqueue(job, now)
end

