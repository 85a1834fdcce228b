package profile

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ID is the key of a customer everywhere in cxkit: minted by a [Directory] as
// UUIDv7 text, or the caller's own key, so that each package stands alone. It
// is not empty, has at most [MaxIDBytes] bytes, is valid UTF-8 and holds no
// NUL. IDs are ordered by byte.
type ID string

// MaxIDBytes is the greatest length of an [ID] in bytes.
const MaxIDBytes = 128

// ErrInvalidID reports an [ID] that is empty, too long, or not plain text.
var ErrInvalidID = errors.New("profile: invalid customer ID")

// Validate returns an error that matches [ErrInvalidID] unless id is well formed.
// The error does not repeat the ID.
func (id ID) Validate() error {
	switch {
	case id == "":
		return fmt.Errorf("%w: empty", ErrInvalidID)
	case len(id) > MaxIDBytes:
		return fmt.Errorf("%w: %d bytes, at most %d allowed", ErrInvalidID, len(id), MaxIDBytes)
	}
	if err := checkText(string(id)); err != nil {
		return fmt.Errorf("%w: NUL or invalid UTF-8", ErrInvalidID)
	}
	return nil
}

func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("%w: text with a NUL byte", ErrValue)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: text that is not UTF-8", ErrValue)
	}
	return nil
}
