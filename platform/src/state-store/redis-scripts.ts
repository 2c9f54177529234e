/**
 * What must happen as one step runs inside Redis. Numbers of 64 bits never pass through Lua, whose numbers are doubles and
 * exact only to 2^53: INCRBY adds, GET reads the text back, and texts are compared digit by digit.
 */
export interface ScriptCommands {
  endcapIncrement(key: string, by: string, ttlMs: number): Promise<string>
  endcapIncrementWithin(key: string, by: string, limit: string, ttlMs: number): Promise<string | null>
  endcapCompareAndSet(
    key: string,
    present: '0' | '1',
    expected: string,
    next: string,
    ttlMs: number,
  ): Promise<0 | 1>
  endcapHashGetAll(key: string): Promise<string[]>
  endcapWindowAdd(
    key: string,
    member: string,
    atMs: number,
    sinceMs: number,
    limit: number,
    ttlMs: number,
  ): Promise<[0 | 1, number]>
  /** After the keys: member, instant, time to live, then window and limit of each window. Gives the keys that refuse, by number from 1. */
  endcapWindowsAdmit(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<number[]>
}

const ADD = `
local fresh = redis.call('EXISTS', KEYS[1]) == 0
`

const GREATER = `
local function greater(a, b)
  local a_negative, b_negative = a:sub(1, 1) == '-', b:sub(1, 1) == '-'
  if a_negative ~= b_negative then return b_negative end
  if #a ~= #b then return (#a > #b) ~= a_negative end
  return a ~= b and (a > b) ~= a_negative
end
`

export const SCRIPTS: Readonly<
  Record<keyof ScriptCommands, { readonly lua: string; readonly numberOfKeys?: 1 }>
> = {
  endcapIncrement: {
    numberOfKeys: 1,
    lua: `${ADD}
redis.call('INCRBY', KEYS[1], ARGV[1])
if fresh and ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])`,
  },
  // A sum beyond 64 bits is beyond every limit. What was added too much is taken back before anybody can see it.
  endcapIncrementWithin: {
    numberOfKeys: 1,
    lua: `${GREATER}${ADD}
local added = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(added) == 'table' and added.err then
  if added.err:find('overflow', 1, true) and ARGV[1]:sub(1, 1) ~= '-' then return false end
  return added
end
local sum = redis.call('GET', KEYS[1])
if greater(sum, ARGV[2]) then
  if fresh then redis.call('DEL', KEYS[1]) else redis.call('DECRBY', KEYS[1], ARGV[1]) end
  return false
end
if fresh and ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return sum`,
  },
  endcapCompareAndSet: {
    numberOfKeys: 1,
    lua: `
local current = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
  if current then return 0 end
elseif current ~= ARGV[2] then
  return 0
end
if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[3])
else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
return 1`,
  },
  endcapHashGetAll: { numberOfKeys: 1, lua: `return redis.call('HGETALL', KEYS[1])` },
  endcapWindowAdd: {
    numberOfKeys: 1,
    lua: `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
local count = redis.call('ZCARD', KEYS[1])
local allowed = 1
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  if count < tonumber(ARGV[4]) then
    redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
    count = count + 1
  else
    allowed = 0
  end
end
if count > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
return {allowed, count}`,
  },
  endcapWindowsAdmit: {
    lua: `
local member, at, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local longest, refusing = 0, {}
local function exact(number) return string.format('%.0f', number) end
for i, key in ipairs(KEYS) do
  local known, refuses = redis.call('ZSCORE', key, member), false
  for w = 4, #ARGV, 2 do
    local window = tonumber(ARGV[w])
    longest = math.max(longest, window)
    if not known and redis.call('ZCOUNT', key, exact(at - window), exact(at + window)) >= tonumber(ARGV[w + 1]) then refuses = true end
  end
  if refuses then refusing[#refusing + 1] = i end
end
if #refusing > 0 then return refusing end
for _, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. exact(at - longest))
  redis.call('ZADD', key, 'NX', ARGV[2], member)
  redis.call('PEXPIRE', key, ttl)
end
return refusing`,
  },
}
