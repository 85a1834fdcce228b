package loyalty

import (
	"encoding/binary"
	"time"
)

// packer writes records of a [MemoryStore] as bytes without pointers, which
// take a fifth of the room of the structs and which the garbage collector does
// not look into. A text that was there before is a number: its place in seen.
type packer struct {
	encoder
	seen []string
}

// maxSeen bounds the search for a text.
const maxSeen = 48

func (p *packer) reset() {
	p.b = p.b[:0]
	clear(p.seen)
	p.seen = p.seen[:0]
}

func (p *packer) text(s string) {
	if s == "" {
		p.uint(0)
		return
	}
	for i := range p.seen {
		if p.seen[i] == s {
			p.uint(uint64(i) + 2)
			return
		}
	}
	p.uint(1)
	p.encoder.text(s)
	if len(p.seen) < maxSeen {
		p.seen = append(p.seen, s)
	}
}

func (p *packer) terms(t *Terms) {
	p.time(t.EarnedAt)
	p.time(t.UsableFrom)
	p.time(t.Expires)
	p.text(string(t.Policy.Kind))
	p.int(int64(t.Policy.N))
	p.time(t.Policy.Date)
	p.text(string(t.Policy.Clock))
	p.int(t.UnitCost)
	p.text(t.Order)
	p.text(t.Line)
	p.int(t.Basis)
	p.text(t.Rule)
	p.text(t.Origin)
}

func (p *packer) lot(l *Lot) {
	p.text(l.ID) // first, where packedLot looks for it
	p.text(l.Account)
	p.text(string(l.Unit))
	p.text(l.Opened)
	p.terms(&l.Terms)
	for _, n := range l.counts() {
		p.int(*n)
	}
	p.time(l.Moved)
}

// counts are the amounts of a lot, in the order in which they are packed.
func (l *Lot) counts() [10]*int64 {
	return [10]*int64{
		&l.Original, &l.Remaining, &l.Held, &l.Redeemed, &l.Expired, &l.Clawed, &l.Transferred, &l.Adjusted, &l.BasisReturned, &l.Returned,
	}
}

func (p *packer) transaction(t *Transaction) {
	p.text(t.Key)
	p.text(string(t.Kind))
	p.text(t.Of)
	p.time(t.Effective)
	p.time(t.Recorded)
	p.text(t.Order)
	p.text(t.Reason)
	p.text(t.Actor)
	p.text(string(t.Unit))
	p.int(t.Amount)
	p.time(t.Until)
	p.int(t.Forgiven)
	p.bool(t.Activity)
	p.b = append(p.b, t.Fingerprint[:]...)
	p.uint(uint64(len(t.Entries)))
	for i := range t.Entries {
		x := &t.Entries[i]
		p.text(string(x.Book))
		p.text(x.Account)
		p.text(string(x.Unit))
		p.text(x.Lot)
		p.int(x.Amount)
	}
	p.uint(uint64(len(t.Opens)))
	for i := range t.Opens {
		p.lot(&t.Opens[i])
	}
	p.uint(uint64(len(t.Changes)))
	for i := range t.Changes {
		x := &t.Changes[i]
		p.text(x.Account)
		p.text(x.Lot)
		p.int(x.Held)
		p.int(x.Basis)
		p.int(x.Returned)
		p.time(x.UsableFrom)
		p.time(x.Expires)
	}
	p.uint(uint64(len(t.Links)))
	for i := range t.Links {
		p.text(t.Links[i].Account)
		p.uint(t.Links[i].Seq)
		p.b = append(p.b, t.Links[i].Hash[:]...)
	}
}

// unpacker reads what a packer wrote in the same process, and trusts it.
type unpacker struct {
	s    string
	seen []string
}

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

func (u *unpacker) text() string {
	switch n := u.uint(); n {
	case 0:
		return ""
	case 1:
		s := u.bytes(int(u.uint()))
		if len(u.seen) < maxSeen {
			u.seen = append(u.seen, s)
		}
		return s
	default:
		return u.seen[n-2]
	}
}

func (u *unpacker) terms() Terms {
	return Terms{
		EarnedAt: u.time(), UsableFrom: u.time(), Expires: u.time(),
		Policy:   Expiry{Kind: ExpiryKind(u.text()), N: int(u.int()), Date: u.time(), Clock: Clock(u.text())},
		UnitCost: u.int(), Order: u.text(), Line: u.text(), Basis: u.int(), Rule: u.text(), Origin: u.text(),
	}
}

func (u *unpacker) lot() Lot {
	l := Lot{ID: u.text(), Account: u.text(), Unit: Unit(u.text()), Opened: u.text(), Terms: u.terms()}
	for _, n := range l.counts() {
		*n = u.int()
	}
	l.Moved = u.time()
	return l
}

func (u *unpacker) transaction() Transaction {
	t := Transaction{
		Key: u.text(), Kind: Kind(u.text()), Of: u.text(), Effective: u.time(), Recorded: u.time(), Order: u.text(),
		Reason: u.text(), Actor: u.text(), Unit: Unit(u.text()), Amount: u.int(), Until: u.time(), Forgiven: u.int(),
		Activity: u.bool(),
	}
	copy(t.Fingerprint[:], u.bytes(len(t.Fingerprint)))
	t.Entries = many(u, func(e *Entry) {
		*e = Entry{Book: Book(u.text()), Account: u.text(), Unit: Unit(u.text()), Lot: u.text(), Amount: u.int()}
	})
	t.Opens = many(u, func(l *Lot) { *l = u.lot() })
	t.Changes = many(u, func(c *LotChange) {
		*c = LotChange{
			Account: u.text(), Lot: u.text(), Held: u.int(), Basis: u.int(), Returned: u.int(), UsableFrom: u.time(), Expires: u.time(),
		}
	})
	t.Links = many(u, func(l *Link) {
		*l = Link{Account: u.text(), Seq: u.uint()}
		copy(l.Hash[:], u.bytes(len(l.Hash)))
	})
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

// packedLot is a lot as bytes.
type packedLot []byte

func (b packedLot) lot() Lot {
	u := unpacker{s: string(b)}
	return u.lot()
}

func (b packedLot) id() string { return string(b.idBytes()) }

func (b packedLot) is(id string) bool { return string(b.idBytes()) == id }

func (b packedLot) idBytes() []byte {
	if b[0] == 0 {
		return nil
	}
	n, size := binary.Uvarint(b[1:])
	return b[1+size:][:n]
}

// shelf keeps packed records for good, in large blocks.
type shelf struct{ blocks [][]byte }

// packed says where on a shelf a record lies.
type packed struct{ block, at, size uint32 }

// blockSize is the size of a block; a larger record has one of its own.
const blockSize = 1 << 16

func (s *shelf) put(b []byte) packed {
	last := len(s.blocks) - 1
	if last < 0 || cap(s.blocks[last])-len(s.blocks[last]) < len(b) {
		s.blocks = append(s.blocks, make([]byte, 0, max(blockSize, len(b))))
		last++
	}
	at := len(s.blocks[last])
	s.blocks[last] = append(s.blocks[last], b...)
	return packed{uint32(last), uint32(at), uint32(len(b))}
}

func (s *shelf) transaction(p packed) Transaction {
	u := unpacker{s: string(s.blocks[p.block][p.at : p.at+p.size])}
	return u.transaction()
}
