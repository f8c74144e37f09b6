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
// ends every token. The 8 random bytes of a generation are the epoch of store.Features.
const (
	replIDLen  = 40
	halfLen    = 8 // of a generation, and of the random half of a token
	tokenLen   = 2 * halfLen
	ticketSecs = 60
)

// generation is what each script begins with: the shard's generation, false where there is
// none or where it is another server's.
const generation = `
local server = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local generation = redis.call('GET', KEYS[1])
generation = generation and string.sub(generation, 1, 40) == server and string.sub(generation, 41)
local function begin(new)
  redis.call('SET', KEYS[1], server .. new)
  generation = new
  return 1
end
local function current(key)
  local stored = redis.call('GET', key)
  return stored and string.sub(stored, 1, 8) == generation and stored
end
`

// getScript returns the token of each visitor, with the value after it where there is one,
// and last 1 where it began the generation, else 0. KEYS: the generation, then features and
// ticket of each visitor. ARGV: a new generation, for where there is none, the random half
// of new tickets, their life in seconds.
var getScript = redis.NewScript(generation + `
local found, new = {}, 0
if not generation then
  new = begin(ARGV[1])
end
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
found[#found + 1] = new
return found`)

// swapScript carries changes out and returns 1 for each that was, else 0. KEYS as above;
// ARGV: the random half of the new values' tokens, their life in seconds, then for each
// change the token that must be there and the new value after a '=', or an empty text to
// remove it.
var swapScript = redis.NewScript(generation + `
local done = {}
for i = 2, #KEYS, 2 do
  local stored = current(KEYS[i])
  local token = stored and string.sub(stored, 1, 16) or current(KEYS[i + 1])
  done[#done + 1] = 0
  if token and token == ARGV[i + 1] then
    done[#done] = 1
    local value = ARGV[i + 2]
    if value == '' then
      redis.call('DEL', KEYS[i])
    else
      redis.call('SET', KEYS[i], generation .. ARGV[1] .. string.sub(value, 2), 'EX', ARGV[2])
    end
    if not stored then
      redis.call('DEL', KEYS[i + 1])
    end
  end
end
return done`)

// beginScript begins a generation in the place of one, and returns the one that there is
// then, and 1 where it began it, else 0. KEYS: the generation. ARGV: the one to replace,
// the new one.
var beginScript = redis.NewScript(generation + `
local new = 0
if not generation or generation == ARGV[1] then
  new = begin(ARGV[2])
end
return {generation, new}`)
