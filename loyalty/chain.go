package loyalty

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// chainFormat is the version of the bytes under a hash. A change of the
// encoding needs a new number, and the old encoding for the old one.
const chainFormat = 1

// formatBytes is how many bytes chainFormat takes.
const formatBytes = 1

// encoder appends values so that no two different sequences have the same
// bytes: texts and lists carry their length.
type encoder struct{ b []byte }

func (e *encoder) text(s string) {
	e.b = append(appendUint(e.b, uint64(len(s))), s...)
}

func (e *encoder) int(n int64)   { e.b = appendUint(e.b, uint64(n)<<1^uint64(n>>63)) }
func (e *encoder) uint(n uint64) { e.b = appendUint(e.b, n) }

// appendUint is quick where there is one byte, as mostly.
func appendUint(b []byte, n uint64) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(b, n)
}

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.b = append(e.b, 0)
		return
	}
	e.b = append(e.b, 1)
	e.b = binary.BigEndian.AppendUint64(e.b, uint64(t.UnixMicro()))
}

func (e *encoder) expiry(x Expiry) {
	e.text(string(x.Kind))
	if x.Kind != "" {
		e.int(int64(x.N))
		e.time(x.Date)
		e.text(string(x.Clock))
	}
}

func (e *encoder) terms(t *Terms) {
	e.time(t.EarnedAt)
	e.time(t.UsableFrom)
	e.time(t.Expires)
	e.expiry(t.Policy)
	e.int(t.UnitCost)
	e.text(t.Order)
	e.text(t.Line)
	e.int(t.Basis)
	e.text(t.Rule)
	e.text(t.Origin)
}

func (e *encoder) transaction(t *Transaction) {
	e.uint(chainFormat)
	e.text(t.Key)
	e.text(string(t.Kind))
	e.text(t.Of)
	e.time(t.Effective)
	e.time(t.Recorded)
	e.text(t.Order)
	e.text(t.Reason)
	e.text(t.Actor)
	e.text(string(t.Unit))
	e.int(t.Amount)
	e.time(t.Until)
	e.int(t.Forgiven)
	e.bool(t.Activity)
	e.b = append(e.b, t.Fingerprint[:]...)
	e.uint(uint64(len(t.Entries)))
	for i := range t.Entries {
		x := &t.Entries[i]
		e.text(string(x.Book))
		e.text(x.Account)
		e.text(string(x.Unit))
		e.text(x.Lot)
		e.int(x.Amount)
	}
	e.uint(uint64(len(t.Opens)))
	for i := range t.Opens {
		x := &t.Opens[i]
		e.text(x.Account)
		e.text(x.ID)
		e.text(string(x.Unit))
		e.terms(&x.Terms)
	}
	e.uint(uint64(len(t.Changes)))
	for i := range t.Changes {
		x := &t.Changes[i]
		e.text(x.Account)
		e.text(x.Lot)
		e.int(x.Held)
		e.int(x.Basis)
		e.int(x.Returned)
		e.time(x.UsableFrom)
		e.time(x.Expires)
	}
	e.uint(uint64(len(t.Links)))
	for i := range t.Links {
		e.text(t.Links[i].Account)
		e.uint(t.Links[i].Seq)
	}
}

// seal computes the hash of the transaction's link in the chain of one account:
// SHA-256 over the previous hash, the account, the sequence and the whole
// transaction with the entries of every account (content, as an encoder writes
// it). prev is zero for the first.
func (l *Link) seal(prev Hash, content []byte, buf *encoder) Hash {
	buf.b = append(buf.b[:0], prev[:]...)
	buf.text(l.Account)
	buf.uint(l.Seq)
	buf.b = append(buf.b, content...)
	return sha256.Sum256(buf.b)
}

func fingerprint(kind Kind, cmd Command, buf *encoder) Fingerprint {
	buf.b = buf.b[:0]
	buf.uint(chainFormat)
	buf.text(string(kind))
	cmd.content(buf)
	sum := sha256.Sum256(buf.b)
	return Fingerprint(sum[:16])
}
