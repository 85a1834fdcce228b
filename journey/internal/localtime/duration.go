package localtime

import (
	"fmt"
	"time"
)

// Duration is a time.Duration that JSON carries as text: "2h0m0s".
type Duration time.Duration

// MarshalText writes what time.ParseDuration reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads "90m", "2h", "720h".
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%w: %q is no duration such as 2h30m", ErrFormat, b)
	}
	*d = Duration(v)
	return nil
}
