package profile_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

func TestPhoneOfMainlandChina(t *testing.T) {
	for _, c := range []struct {
		in, want string
		reason   profile.Reason
	}{
		{in: "13800138000", want: "+8613800138000"},
		{in: "138 0013 8000", want: "+8613800138000"},
		{in: "138-0013-8000", want: "+8613800138000"},
		{in: "+8613800138000", want: "+8613800138000"},
		{in: "+86 138 0013 8000", want: "+8613800138000"},
		{in: "+86-13800138000", want: "+8613800138000"},
		{in: "8613800138000", want: "+8613800138000"},
		{in: "008613800138000", want: "+8613800138000"},
		{in: "0086 138 0013 8000", want: "+8613800138000"},
		{in: "（+86）13800138000", want: "+8613800138000"},
		{in: "１３８００１３８０００", want: "+8613800138000"},
		{in: "＋８６　１３８００１３８０００", want: "+8613800138000"},
		{in: "010-65529988", want: "+861065529988"},
		{in: "(0755) 8765 4321", want: "+8675587654321"},
		{in: "+86 (0)755 87654321", want: "+8675587654321"},
		{in: "+85291234567", want: "+85291234567"},
		{in: "+1 (415) 555-2671", want: "+14155552671"},
		{in: "0044 20 7946 0958", want: "+442079460958"},

		{in: "138****1234", reason: profile.ReasonMasked},
		{in: "138xxxx1234", reason: profile.ReasonMasked},
		{in: "138＊＊＊＊1234", reason: profile.ReasonMasked},
		{in: "+86138****1234", reason: profile.ReasonMasked},
		{in: "*******1234", reason: profile.ReasonMasked},
		{in: "13800138000-1234", reason: profile.ReasonRelay},
		{in: "13800138000转1234", reason: profile.ReasonRelay},
		{in: "13800138000,1234", reason: profile.ReasonRelay},
		{in: "13800138000#12", reason: profile.ReasonRelay},
		{in: "13800138000 ext. 12", reason: profile.ReasonRelay},

		{in: "12800138000", reason: profile.ReasonMalformed},
		{in: "1380013800", reason: profile.ReasonMalformed},
		{in: "138001380000", reason: profile.ReasonMalformed},
		{in: "+8612345", reason: profile.ReasonMalformed},
		{in: "+8612345678901", reason: profile.ReasonMalformed},
		{in: "4008123123", reason: profile.ReasonMalformed},
		{in: "95588", reason: profile.ReasonMalformed},
		{in: "+1234567890123456", reason: profile.ReasonMalformed},
		{in: "+0123456789", reason: profile.ReasonMalformed},
		{in: "65529988", reason: profile.ReasonMalformed},
		{in: "手机13800138000", reason: profile.ReasonMalformed},
		{in: "+", reason: profile.ReasonMalformed},
	} {
		got, reason := profile.NormalizePhoneCN(c.in)
		require.Equal(t, c.reason, reason, c.in)
		require.Equal(t, c.want, got, c.in)
	}
}

func TestE164NeedsACountryCode(t *testing.T) {
	for in, want := range map[string]string{
		"+442079460958": "+442079460958", "0044 20 7946 0958": "+442079460958", "+8613800138000": "+8613800138000",
		"13800138000": "", "2079460958": "", "+44": "", "+0012345678": "",
	} {
		got, reason := profile.NormalizeE164(in)
		require.Equal(t, want, got, in)
		require.Equal(t, want == "", reason == profile.ReasonMalformed, in)
	}
}

func TestEmail(t *testing.T) {
	for _, c := range []struct {
		in, want string
		reason   profile.Reason
	}{
		{in: "Li.Lei@Example.COM", want: "li.lei@example.com"},
		{in: "li+shop@example.com", want: "li+shop@example.com"},
		{in: "ｌｉ＠ｅｘａｍｐｌｅ．ｃｏｍ", want: "li@example.com"},
		{in: "li@例子.中国", want: "li@例子.中国"},
		{in: "x7@privaterelay.appleid.com", want: "x7@privaterelay.appleid.com"},
		{in: "l***i@example.com", reason: profile.ReasonMasked},
		{in: "abc123@marketplace.amazon.co.uk", reason: profile.ReasonRelay},
		{in: "abc@members.ebay.com", reason: profile.ReasonRelay},
		{in: "li", reason: profile.ReasonMalformed},
		{in: "li@", reason: profile.ReasonMalformed},
		{in: "@example.com", reason: profile.ReasonMalformed},
		{in: "li@localhost", reason: profile.ReasonMalformed},
		{in: "li@@example.com", reason: profile.ReasonMalformed},
		{in: "l i@example.com", reason: profile.ReasonMalformed},
		{in: ".li@example.com", reason: profile.ReasonMalformed},
		{in: "li@-example.com", reason: profile.ReasonMalformed},
		{in: "li@example..com", reason: profile.ReasonMalformed},
		{in: strings.Repeat("l", 65) + "@example.com", reason: profile.ReasonMalformed},
	} {
		got, reason := profile.NormalizeEmail(c.in)
		require.Equal(t, c.reason, reason, c.in)
		require.Equal(t, c.want, got, c.in)
	}
}

// What a normalizer yields is its own normal form, is text, and holds nothing masked.
func fuzzNormalizer(f *testing.F, normalize profile.Normalizer, seeds ...string) {
	for _, s := range append(seeds, "", "*", "+", "00", "\u3000", "１", "\xff", "a@b.c", "0086") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if !utf8.ValidString(in) || len(in) > profile.MaxValueBytes {
			t.Skip()
		}
		out, reason := normalize(in)
		if reason != 0 {
			require.Empty(t, out)
			return
		}
		again, reason := normalize(out)
		require.Zero(t, reason, "%q of %q", out, in)
		require.Equal(t, out, again)
		require.NotContains(t, out, "*")
	})
}

func FuzzPhoneCN(f *testing.F) {
	fuzzNormalizer(f, profile.NormalizePhoneCN, "13800138000", "+86 (0)755 87654321", "138****1234", "０１０６５５２９９８８")
}

func FuzzE164(f *testing.F) {
	fuzzNormalizer(f, profile.NormalizeE164, "+442079460958", "0044 20", "+1 (415) 555-2671")
}

func FuzzEmail(f *testing.F) {
	fuzzNormalizer(f, profile.NormalizeEmail, "Li.Lei@Example.COM", "li@例子.中国", "İ@example.com", "a@K.com")
}

func FuzzText(f *testing.F) {
	for _, in := range []string{"abc", "＊", "a*b", "ab**cd", "138••••1234"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, reason := profile.NormalizeText(in)
		if reason != 0 {
			require.Empty(t, out)
			return
		}
		require.Equal(t, in, out, "as it is")
		require.NotContains(t, out, "***")
		require.NotEmpty(t, strings.Trim(out, "*＊•●"))
	})
}

func TestTextIsMaskedByARunOfMarks(t *testing.T) {
	for in, want := range map[string]profile.Reason{
		"o6_bmjrPTlm":          0,
		"a*b":                  0,
		"ab**cd":               0,
		"eyJ*9.x**y":           0,
		"o6_b***m":             profile.ReasonMasked,
		"o6_b＊＊＊m":             profile.ReasonMasked,
		"7f••••3c":             profile.ReasonMasked,
		"**":                   profile.ReasonMasked,
		"●":                    profile.ReasonMasked,
		"****************1234": profile.ReasonMasked,
	} {
		out, reason := profile.NormalizeText(in)
		require.Equal(t, want, reason, in)
		if reason == 0 {
			require.Equal(t, in, out)
		}
	}
	d := open(t, profile.Config{Kinds: []profile.Kind{{Name: "token", Normalizer: "opaque"}}})
	token := profile.Identifier{Kind: "token", Value: "Zm9v****"}
	who := observe(t, d, event("1", day(1), token)).Profile
	found, err := d.Lookup(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, who, found)
}
