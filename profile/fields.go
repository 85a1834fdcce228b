package profile

import "encoding/binary"

// fields are named values packed into one text, of which the texts among them
// are parts: of an event there is one thing to allocate, and nothing in it for
// the collector to follow. Names are numbered.
type fields string

type field struct {
	value Value
	name  uint32
}

// appendField packs one more value.
func appendField(b []byte, name uint32, v Value) []byte {
	b = binary.AppendUvarint(b, uint64(name))
	b = append(b, byte(v.kind)|v.dec<<3)
	switch v.kind {
	case None:
	case String, TagSet:
		b = binary.AppendUvarint(b, uint64(len(v.text)))
		b = append(b, v.text...)
	default:
		b = binary.AppendVarint(b, v.num)
	}
	return b
}

// next takes the first field off; there must be one.
func (f *fields) next() field {
	name := f.uvarint()
	tag := (*f)[0]
	*f = (*f)[1:]
	out := field{name: uint32(name), value: Value{kind: ValueKind(tag & 7), dec: tag >> 3}}
	switch out.value.kind {
	case None:
	case String, TagSet:
		n := f.uvarint()
		out.value.text = string((*f)[:n])
		*f = (*f)[n:]
	default:
		n := f.uvarint()
		out.value.num = int64(n>>1) ^ -int64(n&1)
	}
	return out
}

func (f *fields) uvarint() uint64 {
	var n uint64
	for i := 0; ; i++ {
		c := (*f)[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			*f = (*f)[i+1:]
			return n
		}
	}
}

// count is the number of fields.
func (f fields) count() int {
	n := 0
	for ; f != ""; n++ {
		f.next()
	}
	return n
}
