package scylla

// bootstrap makes what a migration itself needs. Each statement may run again.
var bootstrap = []string{
	`CREATE TABLE IF NOT EXISTS registers (name text PRIMARY KEY, data blob)`,
	`CREATE TABLE IF NOT EXISTS leases (name text PRIMARY KEY, holder text)`,
}

// migrations lead from each version of the schema to the next; the first makes version 1.
// Each statement may run again. A version that has been released is never changed.
//
// Partitions are bounded by what the floors above let in, in bytes at the most and in general:
//
//	log        a segment of 128 rows of at most 1 MiB: 128 MiB, in general some MiB
//	events     a visitor's 250,000 events, of at most 129 MiB (history.MaxBytes)
//	items      a 256th of the catalog, all of which every server has in memory:
//	           16 MB of a million items of 4 KB
//	letters    a segment of 256 letters of at most some 30 KB: 8 MB
//	payloads   a part: 512 KiB
//	linked     a visitor's links, at most as many as its events
//	seen_with  a visitor's links, likewise
//	marks      a kind's, one number a stream: at most 2,049
//	registers  a value: of models, some KB for each version kept; of an operator 1.4 MB at the most
//	published  a 16th of a shard's users, of some 150 bytes: a million users in 16 shards 600 KB,
//	           100 million in 64 shards 15 MB
//	members    those users of a shard who are in a segment, of some 50 bytes: of the same users,
//	           where a segment has all, 3 MB and 80 MB
//	sizes      a segment's, one number a shard: at most 1,024
//	timers     an hour of a shard, in general one of a user: where all users' fall into one, as
//	           much as of members
//	timer_hours  a shard's hours that have timers: 8,766 small rows for each year ahead
//	owners, leases   one row
//
// Size-tiered compaction is what suits the tables that are written once and read seldom: the log
// and payloads are never rewritten, and of a visitor's events a read wants all or the one of
// an id that is most likely not there, which Bloom filters answer. Leveled compaction suits
// the small ones that are overwritten and read often. Timers are written once, read once and
// dropped by the hour.
var migrations = [][]string{
	{
		// Rows of a shard, of its transitions, or of the catalog's changes, each a stream of its
		// own (log.go), with dense numbers.
		`CREATE TABLE IF NOT EXISTS log (stream int, segment bigint, seq bigint, row blob, PRIMARY KEY ((stream, segment), seq))
		 WITH compaction = {'class': 'SizeTieredCompactionStrategy'}`,
		// The greatest number of each kind: what is projected, what was trimmed.
		`CREATE TABLE IF NOT EXISTS marks (kind text, stream int, mark bigint, PRIMARY KEY (kind, stream))
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
		`CREATE TABLE IF NOT EXISTS events (visitor text, event_id text, seq bigint, data blob, PRIMARY KEY (visitor, event_id, seq))
		 WITH compaction = {'class': 'SizeTieredCompactionStrategy'}`,
		// The least link of an anonymous visitor, and those that a user was ever seen with.
		`CREATE TABLE IF NOT EXISTS owners (anonymous_id text PRIMARY KEY, link blob)
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
		`CREATE TABLE IF NOT EXISTS linked (user_id text, anonymous_id text, PRIMARY KEY (user_id, anonymous_id))
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
		`CREATE TABLE IF NOT EXISTS items (bucket int, id text, data blob, PRIMARY KEY (bucket, id))
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
		`CREATE TABLE IF NOT EXISTS letters (segment bigint, number bigint, data blob, PRIMARY KEY (segment, number))
		 WITH compaction = {'class': 'SizeTieredCompactionStrategy'}`,
		// Payloads of models, checkpoints and great dead letters.
		`CREATE TABLE IF NOT EXISTS payloads (id text, part int, data blob, PRIMARY KEY ((id, part)))
		 WITH compaction = {'class': 'SizeTieredCompactionStrategy'}`,
	}, {
		// What is published of segments: of a user, who is in one, and how many are in a shard.
		`CREATE TABLE IF NOT EXISTS published (shard int, bucket int, user_id text, data blob, PRIMARY KEY ((shard, bucket), user_id))
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
		`CREATE TABLE IF NOT EXISTS members (segment bigint, shard int, user_id text, PRIMARY KEY ((segment, shard), user_id))
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
		`CREATE TABLE IF NOT EXISTS sizes (segment bigint, shard int, size bigint, PRIMARY KEY (segment, shard))
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
		// The users that an anonymous visitor was ever seen with, since this version.
		`CREATE TABLE IF NOT EXISTS seen_with (anonymous_id text, user_id text, PRIMARY KEY (anonymous_id, user_id))
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
		// Timers by the hour, and the hours that have some.
		`CREATE TABLE IF NOT EXISTS timers (shard int, hour bigint, at bigint, user_id text, PRIMARY KEY ((shard, hour), at, user_id))
		 WITH compaction = {'class': 'SizeTieredCompactionStrategy'}`,
		`CREATE TABLE IF NOT EXISTS timer_hours (shard int, hour bigint, PRIMARY KEY (shard, hour))
		 WITH compaction = {'class': 'LeveledCompactionStrategy'}`,
	},
}
