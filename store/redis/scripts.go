package redis

import "github.com/redis/go-redis/v9"

// The keys of a shard share a hash tag, so that they lie in one slot of a cluster:
//
//	attune:{ID:SHARD}          the generation: replication id of the server, then 8 random bytes
//	attune:{ID:SHARD}:VISITOR  features: generation, 8 random bytes of who wrote them, the value
//	attune:{ID:SHARD}?VISITOR  a ticket: generation and 8 random bytes, for a short time
//
// What a visitor has is known by a token of 16 bytes: the first ones of its features, or
// its ticket where it has none in this generation. A change is carried out where the token
// is still the one that was read. Installing features ends the ticket, a new generation
// ends every token.
const (
	replIDLen  = 40
	halfLen    = 8 // of a generation, and of the random half of a token
	tokenLen   = 2 * halfLen
	ticketSecs = 60
)

// generation is what each script begins with: where the server is not the one that the
// shard's generation was made on, or there is none, ARGV[1] is the new one.
const generation = `
local server = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local generation = redis.call('GET', KEYS[1])
if not generation or string.sub(generation, 1, 40) ~= server then
  generation = server .. ARGV[1]
  redis.call('SET', KEYS[1], generation)
end
generation = string.sub(generation, 41)
local function current(key)
  local stored = redis.call('GET', key)
  return stored and string.sub(stored, 1, 8) == generation and stored
end
`

// getScript returns the token of each visitor, with the value after it where there is one.
// KEYS: the generation, then features and ticket of each visitor. ARGV: a new generation,
// the random half of new tickets, their life in seconds.
var getScript = redis.NewScript(generation + `
local found = {}
for i = 2, #KEYS, 2 do
  local stored = current(KEYS[i])
  if stored then
    found[#found + 1] = '=' .. stored
  else
    local ticket = current(KEYS[i + 1])
    if not ticket then
      ticket = generation .. ARGV[2]
      redis.call('SET', KEYS[i + 1], ticket, 'EX', ARGV[3])
    end
    found[#found + 1] = '?' .. ticket
  end
end
return found`)

// swapScript carries changes out and returns 1 for each that was, else 0. KEYS as above;
// ARGV: a new generation, the random half of the new values' tokens, their life in
// seconds, then for each change the token that must be there and the new value after a '=',
// or an empty text to remove it.
var swapScript = redis.NewScript(generation + `
local done = {}
for i = 2, #KEYS, 2 do
  local stored = current(KEYS[i])
  local token = stored and string.sub(stored, 1, 16) or current(KEYS[i + 1])
  done[#done + 1] = 0
  if token == ARGV[i + 2] then
    done[#done] = 1
    local value = ARGV[i + 3]
    if value == '' then
      redis.call('DEL', KEYS[i])
    else
      redis.call('SET', KEYS[i], generation .. ARGV[2] .. string.sub(value, 2), 'EX', ARGV[3])
    end
    if not stored then
      redis.call('DEL', KEYS[i + 1])
    end
  end
end
return done`)
