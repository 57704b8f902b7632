/**
 * Reads as MGET does, some keys at a time, and stops where the values take more bytes than may be: so much at most is in Redis'
 * answer, whatever is stored. KEYS: those of the rows, then the guard's, which does not count; ARGV[1]: the most bytes. Answers
 * one value per key, or the bytes that there are at least.
 */
export const readWithinLua = `
local most = tonumber(ARGV[1])
local values, bytes = {}, 0
for from = 1, #KEYS, 16 do
  local part = redis.call('MGET', unpack(KEYS, from, math.min(from + 15, #KEYS)))
  for i = 1, #part do
    local place = from + i - 1
    values[place] = part[i]
    if part[i] and place < #KEYS then bytes = bytes + #part[i] end
  end
  if bytes > most then return bytes end
end
return values
`
