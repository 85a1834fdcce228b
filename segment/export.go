package segment

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// WriteCSV writes the members' keys in byte order, one to a line, under the
// header "customer". The error is that of w.
func (a *Audience) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"customer"}); err != nil {
		return err
	}
	for id := range a.IDs() {
		if err := out.Write([]string{string(id)}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteJSONLines writes {"customer":…} for each member in byte order of the
// keys, one to a line. The error is that of w.
func (a *Audience) WriteJSONLines(w io.Writer) error {
	buffered := bufio.NewWriter(w)
	out := json.NewEncoder(buffered)
	for id := range a.IDs() {
		if err := out.Encode(struct {
			Customer profile.ID `json:"customer"`
		}{id}); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// WriteRoaring writes the members as a portable roaring bitmap of 32-bit
// numbers, as Java, C++ and ClickHouse read it, and to dictionary, if that is
// not nil, which number is which member: CSV under the header "number,customer",
// in the order of the numbers. Audiences of one engine share its numbers, so
// that their bitmaps may be combined elsewhere; those made otherwise do not.
// A member who was erased since is in neither. The error is that of a writer.
func (a *Audience) WriteRoaring(bitmap, dictionary io.Writer) error {
	there := a.where(func(d uint32) bool { return a.dict.key(d) != "" })
	if _, err := roaringOf(there.set).WriteTo(bitmap); err != nil {
		return err
	}
	if dictionary == nil {
		return nil
	}
	out := csv.NewWriter(dictionary)
	if err := out.Write([]string{"number", "customer"}); err != nil {
		return err
	}
	var err error
	there.set.each(func(d uint32) bool {
		err = out.Write([]string{strconv.FormatUint(uint64(d), 10), string(a.dict.key(d))})
		return err == nil
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

// The sections of an audience's container, in their order.
const (
	sectionInstant uint64 = iota + 1
	sectionNumbers
	sectionKeys
)

// MarshalBinary writes the audience as a container that [ReadAudience] reads:
// the instant, the members' numbers as a portable roaring bitmap and, in the
// order of the numbers, their keys, under a checksum. Members who were erased
// are left out.
func (a *Audience) MarshalBinary() ([]byte, error) {
	there := a.where(func(d uint32) bool { return a.dict.key(d) != "" })
	p := newPacker(kindAudience)
	p.section(sectionInstant, func(p *packer) {
		p.bool(!a.at.IsZero())
		p.int(a.at.Unix())
		p.uint(uint64(a.at.Nanosecond()))
	})
	var err error
	p.section(sectionNumbers, func(p *packer) { err = packSet(p, there.set) })
	p.section(sectionKeys, func(p *packer) {
		there.set.each(func(d uint32) bool {
			p.text(string(a.dict.key(d)))
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("segment: write audience: %w", err)
	}
	return p.seal(), nil
}

// ReadAudience reads what [Audience.MarshalBinary] writes. The error matches
// [ErrCorrupt] or [ErrFormat].
func ReadAudience(b []byte) (*Audience, error) {
	u, err := unpack(b, kindAudience)
	if err != nil {
		return nil, err
	}
	out := &Audience{dict: newDictionary()}
	instants := u.section(sectionInstant)
	known, seconds, nanos := instants.bool(), instants.int(), instants.uint()
	if known && seconds > -1<<38 && seconds < 1<<38 {
		out.at = time.Unix(seconds, int64(nanos%1e9)).UTC()
	}
	if nanos >= 1e9 || known && (out.at.IsZero() || out.at.Year() < 1 || out.at.Year() > 9999) {
		instants.fail("instant")
	}
	numbers := u.section(sectionNumbers)
	members := numbers.bitmap(1 << 32)
	keys := u.section(sectionKeys)
	for range members.n {
		id := profile.ID(keys.text())
		if keys.err != nil {
			break
		}
		if _, twice := out.dict.find(id); twice || id.Validate() != nil {
			keys.fail("key")
			break
		}
		out.dict.add(id)
	}
	if err := firstOf(instants.end(), numbers.end(), keys.end(), u.end()); err != nil {
		return nil, err
	}
	out.set = everyNumber(out.dict.len())
	return out, nil
}

// everyNumber is the set of the first n numbers.
func everyNumber(n uint32) *set {
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(i)
	}
	return setOf(all)
}
