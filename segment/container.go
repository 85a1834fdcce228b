package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// ErrCorrupt reports a container that is damaged, cut short or not one at all.
var ErrCorrupt = errors.New("segment: damaged container")

// ErrFormat reports a container of a version or kind that is not the one expected.
var ErrFormat = errors.New("segment: container of another format")

// A container is magic, version, kind, sections and the SHA-256 of all before
// it. A section is a number, its length and its content. Integers are varints
// as in encoding/binary.
const (
	containerMagic   = "CXSG"
	containerVersion = 1

	kindEngine   byte = 'E'
	kindAudience byte = 'A'
)

// packer writes a container into memory.
type packer struct{ b []byte }

func newPacker(kind byte) *packer {
	return &packer{append([]byte(containerMagic), containerVersion, kind)}
}

// section writes one section, of which content writes the inside.
func (p *packer) section(number uint64, content func(*packer)) {
	inner := &packer{}
	content(inner)
	p.uint(number)
	p.bytes(inner.b)
}

// seal ends the container and returns it.
func (p *packer) seal() []byte {
	sum := sha256.Sum256(p.b)
	p.b = append(p.b, sum[:]...)
	return p.b
}

func (p *packer) uint(n uint64)  { p.b = binary.AppendUvarint(p.b, n) }
func (p *packer) int(n int64)    { p.b = binary.AppendVarint(p.b, n) }
func (p *packer) bytes(b []byte) { p.uint(uint64(len(b))); p.b = append(p.b, b...) }
func (p *packer) text(s string)  { p.uint(uint64(len(s))); p.b = append(p.b, s...) }

// ascending writes numbers that grow as differences.
func (p *packer) ascending(numbers []int64) {
	p.uint(uint64(len(numbers)))
	last := int64(0)
	for _, n := range numbers {
		p.int(n - last)
		last = n
	}
}

func (p *packer) value(v profile.Value) {
	p.uint(uint64(v.Kind()))
	switch v.Kind() {
	case profile.String:
		s, _ := v.Text()
		p.text(s)
	case profile.Integer:
		n, _ := v.Int()
		p.int(n)
	case profile.Decimal:
		n, places, _ := v.Dec()
		p.int(n)
		p.uint(uint64(places))
	case profile.Bool:
		b, _ := v.Flag()
		p.bool(b)
	case profile.Instant:
		t, _ := v.Time()
		p.int(micros(t))
	case profile.TagSet:
		tags := v.Tags()
		p.uint(uint64(len(tags)))
		for _, t := range tags {
			p.text(t)
		}
	}
}

func (p *packer) bool(b bool) {
	if b {
		p.uint(1)
	} else {
		p.uint(0)
	}
}

// unpacker reads what a packer wrote. The first thing that is wrong is kept;
// after it everything reads as zero.
type unpacker struct {
	b   []byte
	err error
}

// unpack checks the frame of a container and gives its inside.
func unpack(b []byte, kind byte) (*unpacker, error) {
	const head = len(containerMagic) + 2
	if len(b) < head+sha256.Size || string(b[:len(containerMagic)]) != containerMagic {
		return nil, fmt.Errorf("%w: no container", ErrCorrupt)
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if sha256.Sum256(body) != [sha256.Size]byte(sum) {
		return nil, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	switch {
	case body[len(containerMagic)] != containerVersion:
		return nil, fmt.Errorf("%w: version %d", ErrFormat, body[len(containerMagic)])
	case body[len(containerMagic)+1] != kind:
		return nil, fmt.Errorf("%w: kind %q", ErrFormat, body[len(containerMagic)+1])
	}
	return &unpacker{b: body[head:]}, nil
}

func (u *unpacker) fail(what string) {
	if u.err == nil {
		u.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	u.b = nil
}

// section reads the section of that number, which must be the next one.
func (u *unpacker) section(number uint64) *unpacker {
	if got := u.uint(); got != number {
		u.fail("sections")
	}
	return &unpacker{b: u.bytes(), err: u.err}
}

// end reports what was wrong, or that something is left.
func (u *unpacker) end() error {
	if u.err == nil && len(u.b) > 0 {
		u.fail("surplus")
	}
	return u.err
}

func (u *unpacker) uint() uint64 {
	n, size := binary.Uvarint(u.b)
	if size <= 0 {
		u.fail("number")
		return 0
	}
	u.b = u.b[size:]
	return n
}

func (u *unpacker) int() int64 {
	n, size := binary.Varint(u.b)
	if size <= 0 {
		u.fail("number")
		return 0
	}
	u.b = u.b[size:]
	return n
}

// count reads how many things follow, each of at least one byte.
func (u *unpacker) count() int {
	n := u.uint()
	if n > uint64(len(u.b)) {
		u.fail("count")
		return 0
	}
	return int(n)
}

func (u *unpacker) bytes() []byte {
	n := u.count()
	b := u.b[:n:n]
	u.b = u.b[n:]
	return b
}

func (u *unpacker) text() string { return string(u.bytes()) }

func (u *unpacker) bool() bool {
	n := u.uint()
	if n > 1 {
		u.fail("flag")
	}
	return n == 1
}

func (u *unpacker) ascending() []int64 {
	n := u.count()
	if n == 0 {
		return nil
	}
	out := make([]int64, n)
	last := int64(0)
	for i := range out {
		last += u.int()
		if i > 0 && last < out[i-1] {
			u.fail("order")
		}
		out[i] = last
	}
	return out
}

func (u *unpacker) value() profile.Value {
	switch k := profile.ValueKind(min(u.uint(), math.MaxUint8)); k {
	case profile.None:
	case profile.String:
		return profile.Text(u.text())
	case profile.Integer:
		return profile.Int(u.int())
	case profile.Decimal:
		n := u.int()
		return profile.Dec(n, uint8(min(u.uint(), math.MaxUint8)))
	case profile.Bool:
		return profile.Flag(u.bool())
	case profile.Instant:
		return profile.Time(time.UnixMicro(u.int()))
	case profile.TagSet:
		tags := make([]string, u.count())
		for i := range tags {
			tags[i] = u.text()
		}
		return profile.Tags(tags...)
	default:
		u.fail("value")
	}
	return profile.Value{}
}
