-- How far a tenant's job is from its first token: {state, jobs before it or -1, loaded part of its model or '-1'},
-- or {} for nobody's and another tenant's job.

local id, tenant = ARGV[1], ARGV[2]
local job = read(id)
if not job or job.tenant ~= tenant then
  return {}
end

local function position()
  local queued, batch = 'jobs:queued:' .. job.queue, 'jobs:batch:' .. job.queue
  if job.priority == 'batch' then
    return redis.call('ZRANK', batch, id) + redis.call('ZCARD', queued) - redis.call('ZCARD', batch)
  end
  return math.max(0, redis.call('ZRANK', queued, id) - redis.call('ZCOUNT', batch, '-inf', job.accepted_ms))
end

local function load_progress()
  local best = -1
  for _, worker in ipairs(redis.call('ZRANGE', 'workers', 0, -1)) do
    local body = redis.call('GET', 'worker:' .. worker)
    local progress = body and (cjson.decode(body).loading or {})[job.model]
    best = math.max(best, progress or -1)
  end
  return tostring(best)
end

local is_open = job.state == 'queued' or job.state == 'running'
return { job.state, job.state == 'queued' and position() or -1, is_open and load_progress() or '-1' }
