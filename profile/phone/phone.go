// Package phone brings telephone numbers of every country into E.164, for who
// wants more than the mainland China numbers that package profile knows by
// itself. It rests on the metadata of Google's libphonenumber, which adds about
// 8 MB to a program; a program that does not import this package does not
// carry it.
//
// [Normalizer] makes a [profile.Normalizer] for a default region, to be
// registered under a name of the caller's in profile.Config.Normalizers.
package phone

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"github.com/cxkit/cxkit/profile"
)

// ErrRegion reports a default region that has no telephone numbers of its own.
var ErrRegion = errors.New("phone: unknown region")

// Normalizer makes the normalizer for numbers that are written as in a region:
// an ISO 3166-1 alpha-2 code in capitals, such as "CN", or empty where every
// number has to carry its country code. Another region is [ErrRegion].
//
// It yields E.164, +<country code><number>, and accepts what people write:
// national and international prefixes (+86, 0086 in every region, 011 in North
// America), spaces, hyphens, dots, slashes and parentheses, full-width
// characters and the digits of any script. What it yields it keeps as it is.
//
// A number must be valid by the metadata: of a country code, an area and a
// length that are in use. It is refused
//
//   - with [profile.ReasonMasked] where characters stand for digits:
//     138****1234, 138xxxx1234. They are never stripped, since what is left
//     may look like a number;
//   - with [profile.ReasonRelay] where an extension follows a number: an
//     exchange or a privacy service answers there, not the person;
//   - with [profile.ReasonMalformed] otherwise: where it is not valid, has
//     letters, or is one that no person has (toll-free, shared-cost and premium
//     numbers, those of companies, voice mail, short codes).
//
// A privacy number without extension looks like any other: where the ranges of
// a service are known, profile.Kind.BlockedPatterns keeps them out.
//
// The normalizer is safe for concurrent use. It takes tens of microseconds.
func Normalizer(region string) (profile.Normalizer, error) {
	if region != "" && !phonenumbers.GetSupportedRegions()[region] {
		return nil, fmt.Errorf("%w: %.8q", ErrRegion, region)
	}
	return func(value string) (string, profile.Reason) { return normalize(value, region) }, nil
}

func normalize(value, region string) (string, profile.Reason) {
	number, rest, masked := cut(value)
	if masked {
		return "", profile.ReasonMasked
	}
	e164, ok := valid(number, region)
	switch {
	case ok && rest == "":
		return e164, 0
	case ok && hasDigit(rest):
		return "", profile.ReasonRelay
	case rest == "" && extended(number, region):
		return "", profile.ReasonRelay
	case strings.ContainsAny(rest, "xX#"):
		return "", profile.ReasonMasked // no number stands before it
	}
	return "", profile.ReasonMalformed
}

// cut folds the width of a value and takes what follows the number off it: from
// the first character that is no part of one. masked is for what hides digits.
func cut(value string) (number, rest string, masked bool) {
	value = strings.Map(narrow, value)
	if strings.ContainsAny(value, "*•●∗✱?_") {
		return "", "", true
	}
	for _, hidden := range []string{"xx", "XX", "##"} {
		if strings.Contains(value, hidden) {
			return "", "", true
		}
	}
	end := strings.IndexFunc(value, func(r rune) bool {
		return !unicode.IsDigit(r) && !strings.ContainsRune("+-–—. ()/", r)
	})
	if end < 0 {
		return value, "", false
	}
	return value[:end], value[end:], false
}

// narrow maps the full-width forms of ASCII, other spaces and other hyphens to ASCII.
func narrow(r rune) rune {
	switch {
	case r >= '！' && r <= '～':
		return r - '！' + '!'
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Pd, r):
		return '-'
	}
	return r
}

func hasDigit(s string) bool { return strings.IndexFunc(s, unicode.IsDigit) >= 0 }

// valid is the E.164 form of a number in use.
func valid(number, region string) (string, bool) {
	number = strings.TrimSpace(number)
	if e164, ok := parse(number, region); ok {
		return e164, true
	}
	// 00 is dialed before a country code in most of the world, and written so
	// by people in the rest.
	if abroad, ok := strings.CutPrefix(number, "00"); ok {
		return parse("+"+abroad, region)
	}
	return "", false
}

func parse(number, region string) (string, bool) {
	n, err := phonenumbers.Parse(number, region)
	if err != nil || n.GetExtension() != "" {
		return "", false
	}
	if n.GetCountryCode() == 52 && n.GetNationalNumber()/10_000_000_000 == 1 {
		// Mexico gave up the 1 between country code and mobile number in 2019;
		// messengers still write it.
		national := n.GetNationalNumber() % 10_000_000_000
		n.NationalNumber = &national
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.UNKNOWN, // not valid
		phonenumbers.TOLL_FREE, phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST, phonenumbers.UAN, phonenumbers.VOICEMAIL:
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}

// extended reports whether a number in use stands before the last hyphen, and a
// few digits after it: how privacy services of marketplaces write extensions.
func extended(number, region string) bool {
	at := strings.LastIndexByte(number, '-')
	if at < 0 {
		return false
	}
	tail := strings.TrimSpace(number[at+1:])
	if len(tail) == 0 || len(tail) > 6 || strings.IndexFunc(tail, func(r rune) bool { return !unicode.IsDigit(r) }) >= 0 {
		return false
	}
	_, ok := valid(number[:at], region)
	return ok
}
