package contact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
)

// policyFormat is the version of the JSON form.
const policyFormat = 1

type policyFields Policy

type policyJSON struct {
	Format int `json:"format"`
	policyFields
	MaxDefer localtime.Duration `json:"max_defer,omitempty"`
}

// MarshalJSON writes the policy with its format version; durations are text.
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyJSON{policyFormat, policyFields(p), localtime.Duration(p.MaxDefer)})
}

// UnmarshalJSON reads what MarshalJSON writes. An unknown field or format is an
// error that matches [ErrPolicy].
func (p *Policy) UnmarshalJSON(b []byte) error {
	var in policyJSON
	if err := strict(b, &in); err != nil {
		return err
	}
	if in.Format != policyFormat {
		return fmt.Errorf("%w: format %d, %d expected", ErrPolicy, in.Format, policyFormat)
	}
	*p = Policy(in.policyFields)
	p.MaxDefer = time.Duration(in.MaxDefer)
	return nil
}

type capFields Cap

type capJSON struct {
	capFields
	Rolling localtime.Duration `json:"rolling,omitempty"`
}

// MarshalJSON writes durations as text.
func (c Cap) MarshalJSON() ([]byte, error) {
	return json.Marshal(capJSON{capFields(c), localtime.Duration(c.Rolling)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Cap) UnmarshalJSON(b []byte) error {
	var in capJSON
	if err := strict(b, &in); err != nil {
		return err
	}
	*c = Cap(in.capFields)
	c.Rolling = time.Duration(in.Rolling)
	return nil
}

type channelFields Channel

type channelJSON struct {
	channelFields
	ReplyWindow localtime.Duration `json:"reply_window,omitempty"`
}

// MarshalJSON writes durations as text.
func (c Channel) MarshalJSON() ([]byte, error) {
	return json.Marshal(channelJSON{channelFields(c), localtime.Duration(c.ReplyWindow)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Channel) UnmarshalJSON(b []byte) error {
	var in channelJSON
	if err := strict(b, &in); err != nil {
		return err
	}
	*c = Channel(in.channelFields)
	c.ReplyWindow = time.Duration(in.ReplyWindow)
	return nil
}

func strict(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %v", ErrPolicy, err)
	}
	return nil
}
