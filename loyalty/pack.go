package loyalty

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"time"
)

// unpacker reads what an encoder wrote in the same process, and trusts it. The
// texts that it returns are parts of s.
type unpacker struct{ s string }

func (u *unpacker) bytes(n int) string {
	b := u.s[:n]
	u.s = u.s[n:]
	return b
}

func (u *unpacker) uint() uint64 {
	var n uint64
	for i := range binary.MaxVarintLen64 {
		c := u.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			u.s = u.s[i+1:]
			break
		}
	}
	return n
}

func (u *unpacker) int() int64 {
	n := u.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (u *unpacker) bool() bool { return u.bytes(1)[0] == 1 }

func (u *unpacker) time() time.Time {
	if !u.bool() {
		return time.Time{}
	}
	var n uint64
	for _, c := range []byte(u.bytes(8)) {
		n = n<<8 | uint64(c)
	}
	return time.UnixMicro(int64(n)).UTC()
}

func (u *unpacker) text() string { return u.bytes(int(u.uint())) }

func (u *unpacker) expiry() Expiry {
	kind := ExpiryKind(u.text())
	if kind == "" {
		return Expiry{}
	}
	return Expiry{Kind: kind, N: int(u.int()), Date: u.time(), Clock: Clock(u.text())}
}

func (u *unpacker) terms() Terms {
	return Terms{
		EarnedAt: u.time(), UsableFrom: u.time(), Expires: u.time(), Policy: u.expiry(),
		UnitCost: u.int(), Order: u.text(), Line: u.text(), Basis: u.int(), Rule: u.text(), Origin: u.text(),
	}
}

// transaction reads a record as [encoder.record] wrote it.
func (u *unpacker) transaction() Transaction {
	u.uint() // the format: a process has but one
	t := Transaction{
		Key: u.text(), Kind: Kind(u.text()), Of: u.text(), Effective: u.time(), Recorded: u.time(), Order: u.text(),
		Reason: u.text(), Actor: u.text(), Unit: Unit(u.text()), Amount: u.int(), Until: u.time(), Forgiven: u.int(),
		Activity: u.bool(),
	}
	copy(t.Fingerprint[:], u.bytes(len(t.Fingerprint)))
	t.Entries = many(u, func(e *Entry) {
		*e = Entry{Book: Book(u.text()), Account: u.text(), Unit: Unit(u.text()), Lot: u.text(), Amount: u.int()}
	})
	t.Opens = many(u, func(l *Lot) {
		*l = Lot{Account: u.text(), ID: u.text(), Unit: Unit(u.text()), Opened: t.Key, Terms: u.terms()}
	})
	t.Changes = many(u, func(c *LotChange) {
		*c = LotChange{
			Account: u.text(), Lot: u.text(), Held: u.int(), Basis: u.int(), Returned: u.int(), UsableFrom: u.time(), Expires: u.time(),
		}
	})
	t.Links = many(u, func(l *Link) { *l = Link{Account: u.text(), Seq: u.uint()} })
	for i := range t.Links {
		copy(t.Links[i].Hash[:], u.bytes(len(Hash{})))
	}
	return t
}

func many[T any](u *unpacker, one func(*T)) []T {
	n := u.uint()
	if n == 0 {
		return nil
	}
	out := make([]T, n)
	for i := range out {
		one(&out[i])
	}
	return out
}

// row writes a lot for a [MemoryStore].
func (e *encoder) row(l *Lot) {
	e.text(l.Account) // these two first, where named looks for them
	e.text(l.ID)
	e.text(string(l.Unit))
	e.text(l.Opened)
	e.terms(&l.Terms)
	for _, n := range l.counts() {
		e.int(*n)
	}
	e.time(l.Moved)
}

// counts are the amounts of a lot, in the order of its row.
func (l *Lot) counts() [10]*int64 {
	return [10]*int64{
		&l.Original, &l.Remaining, &l.Held, &l.Redeemed, &l.Expired, &l.Clawed, &l.Transferred, &l.Adjusted, &l.BasisReturned, &l.Returned,
	}
}

func (u *unpacker) lot() Lot {
	l := Lot{Account: u.text(), ID: u.text(), Unit: Unit(u.text()), Opened: u.text(), Terms: u.terms()}
	for _, n := range l.counts() {
		*n = u.int()
	}
	l.Moved = u.time()
	return l
}

// begins reports whether packed bytes begin with these texts.
func begins(b []byte, texts ...string) bool {
	for _, s := range texts {
		n, size := binary.Uvarint(b)
		if n != uint64(len(s)) || string(b[size:][:n]) != s {
			return false
		}
		b = b[size+len(s):]
	}
	return true
}

// shelf keeps packed records for good, in large blocks that the garbage
// collector does not look into.
type shelf struct{ blocks [][]byte }

// place says where on a shelf a record lies: the number of the block, from 1,
// and the offset in it. Zero is nowhere.
type place uint64

const (
	offsetBits = 16
	// blockSize is the size of a block; a larger record has one of its own.
	blockSize = 1 << offsetBits
	sizeBytes = 4
)

// room makes room for a record of n bytes.
func (s *shelf) room(n int) (place, []byte) {
	last := len(s.blocks) - 1
	if last < 0 || cap(s.blocks[last])-len(s.blocks[last]) < n+sizeBytes {
		s.blocks = append(s.blocks, make([]byte, 0, max(blockSize, n+sizeBytes)))
		last++
	}
	b := s.blocks[last]
	at := len(b)
	b = b[:at+sizeBytes+n]
	s.blocks[last] = b
	binary.LittleEndian.PutUint32(b[at:], uint32(n))
	return place(last+1)<<offsetBits | place(at), b[at+sizeBytes:]
}

// at is the record at a place.
func (s *shelf) at(p place) []byte {
	b := s.blocks[p>>offsetBits-1][p&(blockSize-1):]
	return b[sizeBytes:][:binary.LittleEndian.Uint32(b)]
}

// directory finds places by the hash of a name. An entry is one word: 24 bits of
// the hash and 40 of the place. It has many small tables, each of which grows
// by itself, so that no insert waits for the whole of it.
type directory struct{ tables [1 << partBits]table }

type table struct {
	words []uint64
	used  int
}

const (
	partBits  = 6
	tagBits   = 24
	placeBits = 64 - tagBits
)

var hashSeed = maphash.MakeSeed()

func hashOf(name string) uint64 { return maphash.String(hashSeed, name) }

// hashOfTwo is the hash of a lot in an account.
func hashOfTwo(a, b string) uint64 { return bits.RotateLeft64(hashOf(a), 21) ^ hashOf(b) }

func (d *directory) table(hash uint64) *table { return &d.tables[hash&(1<<partBits-1)] }

// find is the place of a name: the one of its hash's places of which is says
// yes, or zero.
func (d *directory) find(hash uint64, is func(place) bool) place {
	t := d.table(hash)
	if len(t.words) == 0 {
		return 0
	}
	for i := t.home(hash); ; i = (i + 1) & (len(t.words) - 1) {
		w := t.words[i]
		if w == 0 {
			return 0
		}
		if p := place(w & (1<<placeBits - 1)); (w^hash)>>placeBits == 0 && is(p) {
			return p
		}
	}
}

// put adds a place under a hash.
func (d *directory) put(hash uint64, p place) {
	t := d.table(hash)
	if 4*(t.used+1) > 3*len(t.words) {
		t.grow()
	}
	t.add(hash>>placeBits<<placeBits | uint64(p))
}

// replace puts a place where another one was.
func (d *directory) replace(hash uint64, old, new place) {
	t := d.table(hash)
	word := hash>>placeBits<<placeBits | uint64(old)
	for i := t.home(hash); ; i = (i + 1) & (len(t.words) - 1) {
		if t.words[i] == word {
			t.words[i] = hash>>placeBits<<placeBits | uint64(new)
			return
		}
	}
}

// home is where the search for a hash begins: by its first bits, which a word
// keeps, so that a table grows without a look at the names.
func (t *table) home(hash uint64) int { return int(hash >> (64 - bits.Len(uint(len(t.words)-1)))) }

func (t *table) add(word uint64) {
	i := t.home(word)
	for t.words[i] != 0 {
		i = (i + 1) & (len(t.words) - 1)
	}
	t.words[i] = word
	t.used++
}

func (t *table) grow() {
	old := t.words
	t.words, t.used = make([]uint64, max(8, 2*len(old))), 0
	for _, w := range old {
		if w != 0 {
			t.add(w)
		}
	}
}
