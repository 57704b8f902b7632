/**
 * Puts a writer's section into each stored value (`tile-sections.ts`), or leaves it where the stored one is of a later
 * offset or reports of a later deletion. KEYS: the values' keys, none twice; ARGV[1]: when they expire, in milliseconds since the epoch,
 * 0 for never; then `rowArguments`: a value of one section for each key. Answers 1 or 0 per key; the same decisions as
 * `mergeSection`.
 */
export const writeSectionsLua = `
local expireAt = tonumber(ARGV[1])
local width = tonumber(ARGV[2])
local current = redis.call('MGET', unpack(KEYS))
local outcomes = {}

local function merge(stored, written)
  if not stored then return written end
  local clearedAt = struct.unpack('<d', written, 9)
  if #stored == 32 and string.sub(stored, 1, 4) == '\\1\\2\\0\\0' then
    if clearedAt < struct.unpack('<d', stored, 9) then return nil end
    return written
  end
  if #stored < 16 or string.sub(stored, 1, 2) ~= string.sub(written, 1, 2) then return written end
  local place = string.sub(written, 17, 24)
  local count = struct.unpack('<I2', stored, 3)
  local at, ownAt, ownStop = 17, nil, nil
  for i = 1, count do
    if at + 35 > #stored then return written end
    local stop = at + 36 + struct.unpack('<I4', stored, at + 8)
    if stop > #stored + 1 then return written end
    if string.sub(stored, at, at + 7) == place then ownAt, ownStop = at, stop end
    at = stop
  end
  if at ~= #stored + 1 then return written end
  local storedClearedAt = struct.unpack('<d', stored, 9)
  if clearedAt < storedClearedAt then return nil end
  if clearedAt > storedClearedAt or string.sub(stored, 5, 8) ~= string.sub(written, 5, 8) then return written end
  if not ownAt then
    return string.sub(stored, 1, 2) .. struct.pack('<I2', count + 1) .. string.sub(stored, 5) .. string.sub(written, 17)
  end
  if struct.unpack('<d', stored, ownAt + 12) > struct.unpack('<d', written, 29) then return nil end
  return string.sub(stored, 1, ownAt - 1) .. string.sub(written, 17) .. string.sub(stored, ownStop)
end

for i = 1, #KEYS do
  local row = width == 0 and ARGV[i + 2] or string.sub(ARGV[3], (i - 1) * width + 1, i * width)
  local value = merge(current[i], row)
  if value then
    if expireAt == 0 then
      redis.call('SET', KEYS[i], value)
    else
      redis.call('SET', KEYS[i], value, 'PXAT', string.format('%.0f', expireAt))
    end
  end
  outcomes[i] = value and 1 or 0
end
return outcomes
`
