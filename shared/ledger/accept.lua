-- Writes a job, its place in the queue and its reservations; or refuses it and changes nothing.
-- Answers {verdict, job id, requests left, ms until all are free, tokens left, ms until all are free, ms to wait}.

local id, accept_id, tenant, key, model, queue, session, payload = unpack(ARGV, 1, 8)
local timeout_ms, on_disconnect, resume_grace_ms, prompt_bound = unpack(ARGV, 9, 12)
local reserve, rpm, tpm, concurrent, max_queued = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15]),
  tonumber(ARGV[16]), tonumber(ARGV[17])
local idempotency_key, body_hash, priority, form, traceparent = unpack(ARGV, 18, 22)

local EPSILON = 1e-6  -- draining leaves fractions: without it the last request of a limit would be refused
local requests_key, tokens_key, slots_key = 'rl:' .. key .. ':r', 'rl:' .. key .. ':t', 'rl:' .. key .. ':c'
local queued_key, idem_key = 'jobs:queued:' .. queue, 'idem:' .. tenant .. ':' .. idempotency_key
local now = now_us()
local ms = math.floor(now / 1000)
local requests = rpm >= 0 and taken(requests_key, rpm, now) or 0
local tokens = tpm >= 0 and taken(tokens_key, tpm, now) or 0

local function left(limit, level)
  return math.max(0, math.floor(limit - level + EPSILON))
end

local function drained_ms(limit, level)
  return limit > 0 and math.ceil(level * 60000 / limit) or 0
end

local function answer(verdict, job_id, wait_ms)
  return { verdict, job_id, left(rpm, requests), drained_ms(rpm, requests), left(tpm, tokens), drained_ms(tpm, tokens),
    wait_ms or 0 }
end

local function wait_ms(limit, excess)
  return limit > 0 and math.max(1, math.ceil(excess * 60000 / limit)) or 60000
end

local known = redis.call('HMGET', 'job:' .. id, 'accept_id', 'tenant')
if known[1] then
  if known[2] ~= tenant then
    return answer('mismatch', '')
  end
  return answer(known[1] == accept_id and 'accepted' or 'replay', id)
end

if idempotency_key ~= '' then
  local earlier = redis.call('HMGET', idem_key, 'job_id', 'body_hash')
  if earlier[1] then
    return answer(earlier[2] == body_hash and 'replay' or 'mismatch', earlier[1])
  end
end

if rpm >= 0 and requests + 1 > rpm + EPSILON then
  return answer('requests', '', wait_ms(rpm, requests + 1 - rpm))
end
if tpm >= 0 and reserve > tpm then
  return answer('too_large', '')
end
if tpm >= 0 and tokens + reserve > tpm + EPSILON then
  return answer('tokens', '', wait_ms(tpm, tokens + reserve - tpm))
end
if concurrent >= 0 then
  redis.call('ZREMRANGEBYSCORE', slots_key, '-inf', ms)
  if redis.call('ZCARD', slots_key) >= concurrent then
    return answer('concurrent', '', 1000)
  end
end
if redis.call('ZCARD', queued_key) >= max_queued then
  -- The oldest has waited this long, so in about this time the whole queue is another one.
  local oldest = redis.call('ZRANGE', queued_key, 0, 0, 'WITHSCORES')
  return answer('full', '', math.min(30000, math.max(1000, ms - (oldest[2] or ms))))
end

local deadline_ms = ms + timeout_ms
redis.call('HSET', 'job:' .. id, 'state', 'queued', 'epoch', 0, 'seq', 0, 'cancel', 0, 'deadline_ms', deadline_ms,
  'tenant', tenant, 'key', key, 'model', model, 'queue', queue, 'session', session, 'payload', payload,
  'accept_id', accept_id, 'accepted_ms', ms, 'on_disconnect', on_disconnect, 'resume_grace_ms', resume_grace_ms,
  'prompt_bound', prompt_bound, 'reserved', reserve, 'tpm', tpm, 'seq_at_claim', 0, 'deliveries', 0, 'claims', 0,
  'is_idempotent', idempotency_key ~= '' and 1 or 0, 'hint_wait_ms', HINT_WAIT_MS, 'priority', priority,
  'quarantined', 0, 'alone', 0, 'form', form, 'traceparent', traceparent)
enqueue({ id = id, queue = queue, accepted_ms = ms, deadline_ms = deadline_ms, priority = priority }, ms)
attend(id, resume_grace_ms, ms)
if idempotency_key ~= '' then
  redis.call('HSET', idem_key, 'job_id', id, 'body_hash', body_hash)
  redis.call('PEXPIRE', idem_key, IDEMPOTENCY_MS)
end
if rpm >= 0 then
  requests = requests + 1
  set_taken(requests_key, rpm, requests, now)
end
if tpm >= 0 then
  tokens = tokens + reserve
  set_taken(tokens_key, tpm, tokens, now)
end
if concurrent >= 0 then
  -- A slot of a job that nobody ends any more is free a minute after its deadline.
  redis.call('ZADD', slots_key, deadline_ms + 60000, id)
end
return answer('accepted', id)
