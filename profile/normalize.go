package profile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxValueBytes is the greatest length of an identifier's value, before and
// after normalization.
const MaxValueBytes = 256

const maxName = 128

// Normalizer brings the values of a kind into the one form under which equal
// things are equal, or says why a value is not used: [ReasonMalformed],
// [ReasonMasked], [ReasonRelay]. It gets valid UTF-8 without control
// characters, trimmed of spaces, of 1 to [MaxValueBytes] bytes. It must be
// idempotent and safe for concurrent use.
type Normalizer func(value string) (string, Reason)

func builtinNormalizer(name string) Normalizer {
	switch name {
	case "text":
		return NormalizeText
	case "opaque":
		return NormalizeOpaque
	case "email":
		return NormalizeEmail
	case "phone.cn":
		return NormalizePhoneCN
	case "phone.e164":
		return NormalizeE164
	}
	return nil
}

// clean checks and trims a value, then applies the kind's normalizer.
func (k *kind) clean(value string) (string, Reason) {
	if len(value) > MaxValueBytes {
		return "", ReasonTooLong
	}
	ascii := true
	for i := range len(value) {
		switch c := value[i]; {
		case c < 0x20 || c == 0x7f:
			return "", ReasonMalformed
		case c >= 0x80:
			ascii = false
		}
	}
	if !ascii {
		for _, r := range value {
			if r == utf8.RuneError || unicode.Is(unicode.C, r) {
				return "", ReasonMalformed
			}
		}
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return "", ReasonMalformed
	}
	n, reason := k.normalize(value)
	switch {
	case reason != 0:
		return "", reason
	case n == "" || len(n) > MaxValueBytes:
		return "", ReasonMalformed
	}
	return n, 0
}

// NormalizeText keeps the value as it is. A value is masked where three or more
// asterisks or bullets stand in a row, as people and systems mask, or where it is
// made of them alone; one or two may be part of a token. See [NormalizeOpaque]
// for tokens of any alphabet.
func NormalizeText(value string) (string, Reason) {
	run, all := 0, true
	for _, r := range value {
		switch r {
		case '*', '＊', '•', '●':
			if run++; run == 3 {
				return "", ReasonMasked
			}
		default:
			run, all = 0, false
		}
	}
	if all {
		return "", ReasonMasked
	}
	return value, 0
}

// NormalizeOpaque keeps the value as it is, whatever it is made of: for tokens
// that a machine minted and that nobody masks.
func NormalizeOpaque(value string) (string, Reason) { return value, 0 }

// NormalizeEmail lower-cases an address of the form local@domain and keeps
// dots and plus tags, which only some providers ignore. Full-width characters
// become ASCII. Masked addresses are refused, and so are the relays under which
// marketplaces hide a buyer. Quoted local parts, comments and bare host names are malformed.
func NormalizeEmail(value string) (string, Reason) {
	value = strings.ToLower(asciiWidth(value))
	if strings.ContainsAny(value, "*•●") {
		return "", ReasonMasked
	}
	local, domain, ok := strings.Cut(value, "@")
	if !ok || local == "" || len(local) > 64 || !strings.Contains(domain, ".") || len(domain) > 253 {
		return "", ReasonMalformed
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "", ReasonMalformed
	}
	for _, r := range local {
		if r >= utf8.RuneSelf || !isAtom(byte(r)) && r != '.' {
			return "", ReasonMalformed
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", ReasonMalformed
		}
		for _, r := range label {
			if r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return "", ReasonMalformed
			}
		}
	}
	for _, relay := range relayDomains {
		if domain == relay || strings.HasPrefix(domain, relay+".") || strings.HasSuffix(domain, "."+relay) {
			return "", ReasonRelay
		}
	}
	return value, 0
}

// relayDomains are where marketplaces mint an address per buyer and order;
// national domains follow some of them.
var relayDomains = []string{"marketplace.amazon", "members.ebay", "relay.walmart.com", "scs.tiktokw.us"}

func isAtom(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// NormalizeE164 accepts an international number with its country code, written
// with + or 00 (ITU-T E.164: 7 to 15 digits, the first not 0), and yields
// +<digits>. Spaces, hyphens, dots, parentheses and full-width digits are
// understood; a number with an extension is a relay.
func NormalizeE164(value string) (string, Reason) {
	digits, plus, reason := phoneDigits(value)
	if reason != 0 {
		return "", reason
	}
	if !plus {
		if !strings.HasPrefix(digits, "00") {
			return "", ReasonMalformed
		}
		digits = digits[2:]
	}
	return e164(digits)
}

// NormalizePhoneCN is NormalizeE164 with mainland China as the default region:
// 13800138000, 86 138 0013 8000, +86…, 0086… and full-width digits yield
// +8613800138000; 010-6552 9988 yields +861065529988. Numbers of mainland China
// must be mobile numbers (11 digits, 13 to 19) or fixed lines with area code;
// others must carry a country code. Service numbers (95…, 400…) are malformed.
func NormalizePhoneCN(value string) (string, Reason) {
	if isMobileCN(value) && allDigits(value) { // nearly all
		return "+86" + value, 0
	}
	digits, plus, reason := phoneDigits(value)
	if reason != 0 {
		return "", reason
	}
	switch {
	case plus:
	case strings.HasPrefix(digits, "00"):
		digits = digits[2:]
	case isMobileCN(digits):
		digits = "86" + digits
	case strings.HasPrefix(digits, "86") && isMobileCN(digits[2:]):
	case isFixedCN(digits):
		digits = "86" + digits[1:]
	default:
		return "", ReasonMalformed
	}
	if national, ok := strings.CutPrefix(digits, "86"); ok {
		if trunk, ok := strings.CutPrefix(national, "0"); ok && isFixedCN(national) {
			national = trunk
		}
		if !isMobileCN(national) && !isFixedCN("0"+national) {
			return "", ReasonMalformed
		}
		digits = "86" + national
	}
	return e164(digits)
}

func e164(digits string) (string, Reason) {
	if len(digits) < 7 || len(digits) > 15 || digits[0] == '0' {
		return "", ReasonMalformed
	}
	return "+" + digits, 0
}

func isMobileCN(d string) bool { return len(d) == 11 && d[0] == '1' && d[1] >= '3' }

// isFixedCN takes a number with its trunk 0: areas 10 and 2x have two digits,
// the rest three; subscriber numbers have seven or eight and begin with 2 to 8.
func isFixedCN(d string) bool {
	if len(d) < 10 || len(d) > 12 || d[0] != '0' {
		return false
	}
	area := 4
	if d[1] == '2' || d[1] == '1' && d[2] == '0' {
		area = 3
	} else if d[1] < '3' {
		return false
	}
	rest := d[area:]
	return (len(rest) == 7 || len(rest) == 8) && rest[0] >= '2' && rest[0] <= '8'
}

// phoneDigits strips what people write between digits. It refuses masks and
// extensions rather than cutting them off.
func phoneDigits(value string) (digits string, plus bool, reason Reason) {
	value = asciiWidth(value)
	if rest, ok := strings.CutPrefix(value, "+"); allDigits(rest) {
		if len(rest) < 7 || len(rest) > 20 {
			return "", false, ReasonMalformed
		}
		return rest, ok, 0
	}
	if strings.Contains(strings.ToLower(value), "ext") {
		return "", false, ReasonRelay
	}
	buf := make([]byte, 0, 24)
	run, masked, extended := 0, false, false
	for _, r := range value {
		switch {
		case r >= '0' && r <= '9':
			buf = append(buf, byte(r))
			run++
			continue
		case r == '+' && len(buf) == 0 && !plus:
			plus = true
		case r == '*' || r == 'x' || r == 'X' || r == '#' || r == '•' || r == '●' || r == '?':
			// 138****1234 and 138xxxx1234 hide digits; 13800138000x12 extends.
			if len(buf) >= 11 {
				extended = true
			} else {
				masked = true
			}
		case r == '转' || r == ',' || r == ';':
			extended = true
		case r == '-' || r == '–' || r == '—':
			// A whole mobile number followed by a hyphen and more digits is how
			// privacy numbers carry their extension.
			if run >= 11 {
				extended = true
			}
		case r == ' ' || r == '.' || r == '(' || r == ')' || r == '\u00a0':
		default:
			return "", false, ReasonMalformed
		}
		run = 0
	}
	switch {
	case masked:
		return "", false, ReasonMasked
	case extended && len(buf) > 0:
		return "", false, ReasonRelay
	case len(buf) < 7 || len(buf) > 20:
		return "", false, ReasonMalformed
	}
	return string(buf), plus, 0
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// asciiWidth maps the full-width forms of ASCII (U+FF01 to U+FF5E, U+3000) to ASCII.
func asciiWidth(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune {
				switch {
				case r >= '！' && r <= '～':
					return r - '！' + '!'
				case r == '\u3000':
					return ' '
				}
				return r
			}, s)
		}
	}
	return s
}
