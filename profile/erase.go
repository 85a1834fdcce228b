package profile

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
)

var (
	// ErrNoErasureKey reports that Config.ErasureKeys is empty, so that nobody
	// can be erased for good.
	ErrNoErasureKey = errors.New("profile: no erasure key is configured")
	// ErrErased reports an event of someone who was erased, from before the
	// erasure or kept out for good. It is not recorded.
	ErrErased = errors.New("profile: event of someone who was erased")
)

// minErasureKey is the least length of an erasure key in bytes.
const minErasureKey = 16

// Erasure says how to erase.
type Erasure struct {
	Decision
	// KeepOut refuses the person's identifiers for good. Otherwise an event
	// from after the erasure begins a new profile.
	KeepOut bool
}

// Removal says what an erasure removed.
type Removal struct {
	// IDs are the present and all former IDs of the person, the present first.
	IDs []ID `json:"ids"`
	// Events, Evidence and Identifiers are how many were removed. Identifiers
	// that others' evidence holds too stay, as theirs.
	Events      int `json:"events"`
	Evidence    int `json:"evidence"`
	Identifiers int `json:"identifiers"`
}

// Hash is the keyed hash under which an erasure is remembered.
type Hash [32]byte

// MarshalText writes the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// UnmarshalText reads what MarshalText writes.
func (h *Hash) UnmarshalText(b []byte) error {
	if n, err := hex.Decode(h[:], b); err != nil || n != len(h) {
		return errors.New("profile: malformed hash")
	}
	return nil
}

// TombstoneRow remembers an erasure: of an identifier that was the person's
// alone, or of evidence.
type TombstoneRow struct {
	Hash    Hash      `json:"hash"`
	At      time.Time `json:"at"`
	KeepOut bool      `json:"keep_out,omitempty"`
}

// Erase removes a customer, by a present or former ID, with all events,
// evidence, traits, consents and declarations; errors as for
// [Directory.Resolve], [ErrInvalidDecision], [ErrNoErasureKey].
//
// What stays are keyed hashes (HMAC-SHA-256 under the first of
// Config.ErasureKeys) of the identifiers that were the person's alone and of
// the evidence, the IDs of customer and events, which must not be personal
// data, and the rows of the change feed. By them a replay is told from a
// return: an event whose time is not after the erasure is [ErrErased], in any
// order and under any event ID; a later one begins a new profile unless
// KeepOut. The other profiles are what a full fold without the person makes them.
func (d *Directory) Erase(ctx context.Context, id ID, how Erasure) (Removal, error) {
	if err := how.check(); err != nil {
		return Removal{}, err
	}
	if len(d.rules().erasureKeys) == 0 {
		return Removal{}, ErrNoErasureKey
	}
	var out Removal
	err := d.update(ctx, Query{Anchors: []ID{id}}, func(g *graph) error {
		out = Removal{}
		c, err := g.whole(id)
		if err != nil {
			return err
		}
		if g.gather(c) {
			out = g.erase(c, true, how.KeepOut)
		}
		return nil
	})
	return out, err
}

// gather asks for all that goes with a cluster; false where something is missing.
func (g *graph) gather(c *cluster) bool {
	for _, e := range c.evidence {
		g.complete(e)
		for _, n := range append(slices.Clip(e.links), e.others()...) {
			g.owners(n.name)
		}
	}
	return !g.missing.any()
}

// erase removes a cluster with all that is its own, and remembers it by hashes
// if it is to be buried.
func (g *graph) erase(c *cluster, bury, keepOut bool) Removal {
	now := g.feed.clock(g.now())
	out := Removal{IDs: []ID{c.id()}, Evidence: len(c.evidence)}
	gone := slices.Clone(c.evidence)
	slices.SortFunc(gone, func(a, b *evidence) int { return compareInt(int64(a.arrival), int64(b.arrival)) })
	var held []*node
	uses := map[*node]int{}
	for _, e := range gone {
		if e.anchor != out.IDs[0] {
			out.IDs = append(out.IDs, e.anchor)
		}
		out.IDs = append(out.IDs, e.formers()...)
		if bury {
			g.bury(g.rules.hashEvidence(0, e.key), now, false)
		}
		for _, n := range append(slices.Clip(e.links), e.others()...) {
			if uses[n]++; uses[n] == 1 {
				held = append(held, n)
			}
		}
	}
	for _, n := range held {
		if int(n.uses) == uses[n] {
			out.Identifiers++
			if bury {
				g.bury(g.rules.hashName(0, n.name), now, keepOut)
			}
			g.untie(n)
		}
	}
	for i, id := range out.IDs {
		row := change{kind: Erased, profile: out.IDs[0], at: now}
		if i > 0 {
			row.other = id
		}
		g.feed.add(row)
	}
	for _, e := range gone {
		for _, rec := range e.records {
			out.Events++
			*rec = record{id: rec.id}
		}
		e.records = nil
	}
	g.remove(gone, now)
	for _, n := range held {
		g.forgetReleases(n.name)
	}
	return out
}

// owners are the nodes of all owners of a value that was released, the first
// owner's first; nil for one that was not.
func (g *graph) owners(nm name) []*node {
	nm.value, _, _ = strings.Cut(nm.value, "\x00")
	g.ask(nm)
	base := g.findNode(nm)
	if base == nil || len(base.releases()) == 0 {
		return nil
	}
	out := []*node{base}
	for _, at := range base.releases() {
		g.ask(base.inEra(at))
		if n := g.findNode(base.inEra(at)); n != nil {
			out = append(out, n)
		}
	}
	return out
}

// forgetReleases drops what is known of a value that nobody has any more.
func (g *graph) forgetReleases(nm name) {
	owners := g.owners(nm)
	if len(owners) == 0 || slices.ContainsFunc(owners, func(n *node) bool { return n.uses > 0 }) {
		return
	}
	owners[0].extra.releases = nil
	g.drop(owners[0])
}

// untie forgets all declarations about an identifier.
func (g *graph) untie(n *node) {
	for _, t := range append(slices.Clone(n.must()), n.cannot()...) {
		for _, end := range [...]*node{t.a, t.b} {
			mine := func(x *tie) bool { return x.a == t.a && x.b == t.b }
			end.extra.must = slices.DeleteFunc(end.extra.must, mine)
			end.extra.cannot = slices.DeleteFunc(end.extra.cannot, mine)
		}
	}
}

// tombstone is a TombstoneRow in its place.
type tombstone struct {
	at      int64
	keepOut bool
}

func (g *graph) bury(h Hash, at int64, keepOut bool) {
	old := g.tombstones[h]
	g.tombstones[h] = tombstone{max(old.at, at), old.keepOut || keepOut}
	g.erasedUntil = max(g.erasedUntil, at)
	g.keepsOut = g.keepsOut || keepOut
}

// buried reports whether a prepared event is of someone who was erased, and by
// which of its identifiers that is known.
func (g *graph) buried(p *prepared) (Refusal, bool) {
	for k := range g.rules.erasureKeys {
		for _, n := range p.names {
			if t, ok := g.tombstones[g.rules.hashName(k, n)]; ok && (t.keepOut || p.at <= t.at) {
				return Refusal{Identifier: n.identifier(), Reason: ReasonErased}, true
			}
		}
		if t, ok := g.tombstones[g.rules.hashEvidence(k, p.key)]; ok && p.at <= t.at {
			return Refusal{Identifier: p.names[0].identifier(), Reason: ReasonErased, Evidence: p.key}, true
		}
	}
	return Refusal{}, false
}

func (r *rules) hashName(key int, n name) Hash {
	return r.hash(key, "identifier\x00"+n.kind.full+"\x00"+n.value)
}

func (r *rules) hashEvidence(key int, k EvidenceKey) Hash {
	return r.hash(key, "evidence\x00"+string(k[:]))
}

func (r *rules) hash(key int, text string) Hash {
	mac := hmac.New(sha256.New, r.erasureKeys[key])
	mac.Write([]byte(text))
	return Hash(mac.Sum(nil))
}

// hashes are all under which an erasure of a prepared event may be remembered.
func (r *rules) hashes(p *prepared) []Hash {
	var out []Hash
	for k := range r.erasureKeys {
		for _, n := range p.names {
			out = append(out, r.hashName(k, n))
		}
		out = append(out, r.hashEvidence(k, p.key))
	}
	return out
}
