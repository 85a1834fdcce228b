package phone_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/phone"
)

var profileTime = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

func in(t testing.TB, region string) profile.Normalizer {
	t.Helper()
	n, err := phone.Normalizer(region)
	require.NoError(t, err)
	return n
}

func TestNumbersAreReadAsInTheirRegion(t *testing.T) {
	for _, c := range []struct{ region, in, want string }{
		{"CN", "13800138000", "+8613800138000"},
		{"CN", "86 138 0013 8000", "+8613800138000"},
		{"CN", "+86-138-0013-8000", "+8613800138000"},
		{"CN", "008613800138000", "+8613800138000"},
		{"CN", "１３８００１３８０００", "+8613800138000"},
		{"CN", "＋８６　１３８００１３８０００", "+8613800138000"},
		{"CN", "（+86）13800138000", "+8613800138000"},
		{"CN", "+86 (0)755 87654321", "+8675587654321"},
		{"CN", "010-6552 9988", "+861065529988"},
		{"CN", "+1 (415) 555-2671", "+14155552671"},
		{"US", "(415) 555-2671", "+14155552671"},
		{"US", "011 44 20 7946 0958", "+442079460958"},
		{"US", "0044 20 7946 0958", "+442079460958"},
		{"US", "００８６ 138 0013 8000", "+8613800138000"},
		{"GB", "020 7946 0958", "+442079460958"},
		{"DE", "030/12345-67", "+49301234567"},
		{"IT", "06 6982 1234", "+390669821234"},
		{"FR", "06.12.34.56.78", "+33612345678"},
		{"RU", "8 912 345-67-89", "+79123456789"},
		{"EG", "٠١٠ ٠١٢٣ ٤٥٦٧", "+201001234567"},
		{"AR", "011 15 2345 6789", "+5491123456789"},
		{"MX", "+52 1 55 5123 4567", "+525551234567"},
		{"MX", "55 5123 4567", "+525551234567"},
		{"", "+8613800138000", "+8613800138000"},
		{"", "0086 138\u00a00013‐8000", "+8613800138000"},
	} {
		got, reason := in(t, c.region)(c.in)
		assert.Zero(t, reason, "%s in %s", c.in, c.region)
		assert.Equal(t, c.want, got, "%s in %s", c.in, c.region)
	}
}

func TestWhatIsNoNumberOfAPersonIsRefusedWithItsReason(t *testing.T) {
	for _, c := range []struct {
		region, in string
		reason     profile.Reason
	}{
		{"CN", "138****1234", profile.ReasonMasked},
		{"CN", "138＊＊＊＊1234", profile.ReasonMasked},
		{"CN", "138●●●●1234", profile.ReasonMasked},
		{"CN", "138xxxx1234", profile.ReasonMasked},
		{"CN", "138ＸＸＸＸ1234", profile.ReasonMasked},
		{"CN", "138____1234", profile.ReasonMasked},
		{"CN", "138x1234", profile.ReasonMasked},
		{"CN", "+86*******1234", profile.ReasonMasked},
		{"US", "415-555-????", profile.ReasonMasked},
		{"CN", "13800138000-1234", profile.ReasonRelay},
		{"CN", "13800138000转1234", profile.ReasonRelay},
		{"CN", "13800138000,1234", profile.ReasonRelay},
		{"CN", "13800138000#12", profile.ReasonRelay},
		{"CN", "010-65529988-802", profile.ReasonRelay},
		{"US", "(415) 555-2671 ext. 12", profile.ReasonRelay},
		{"US", "415 555 2671 x12", profile.ReasonRelay},
		{"US", "+1-415-555-2671;ext=12", profile.ReasonRelay},
		{"CN", "12800138000", profile.ReasonMalformed},
		{"CN", "1380013800", profile.ReasonMalformed},
		{"CN", "138001380000", profile.ReasonMalformed},
		{"CN", "4008123123", profile.ReasonMalformed},
		{"CN", "95588", profile.ReasonMalformed},
		{"CN", "手机13800138000", profile.ReasonMalformed},
		{"CN", "138oo138ooo", profile.ReasonMalformed},
		{"US", "1-800-FLOWERS", profile.ReasonMalformed},
		{"US", "+1 800 356 9377", profile.ReasonMalformed},
		{"US", "911", profile.ReasonMalformed},
		{"US", "(000) 555-2671", profile.ReasonMalformed},
		{"GB", "0909 879 0000", profile.ReasonMalformed},
		{"", "13800138000", profile.ReasonMalformed},
		{"", "+999 1234567", profile.ReasonMalformed},
		{"CN", "+", profile.ReasonMalformed},
		{"CN", "00", profile.ReasonMalformed},
		{"CN", "+-", profile.ReasonMalformed},
		{"CN", strings.Repeat("1", 256), profile.ReasonMalformed},
	} {
		got, reason := in(t, c.region)(c.in)
		assert.Equal(t, c.reason, reason, "%s in %q", c.in, c.region)
		assert.Empty(t, got)
	}
}

func TestARegionWithoutNumbersIsRefused(t *testing.T) {
	for _, region := range []string{"XX", "cn", "China", "001"} {
		_, err := phone.Normalizer(region)
		assert.ErrorIs(t, err, phone.ErrRegion, region)
	}
}

// Every country's example numbers, however they are written, are one number.
func TestEveryCountryIsKnown(t *testing.T) {
	wide := strings.NewReplacer("0", "０", "1", "１", "2", "２", "3", "３", "4", "４", "5", "５", "6", "６", "7", "７", "8", "８", "9", "９", "+", "＋")
	regions := 0
	for region := range phonenumbers.GetSupportedRegions() {
		normalize := in(t, region)
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE} {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n == nil {
				continue
			}
			regions++
			want := phonenumbers.Format(n, phonenumbers.E164)
			forms := []string{want, "00" + want[1:], wide.Replace(want), phonenumbers.Format(n, phonenumbers.INTERNATIONAL)}
			national := phonenumbers.Format(n, phonenumbers.NATIONAL)
			if back, err := phonenumbers.Parse(national, region); err == nil && phonenumbers.IsValidNumber(back) {
				forms = append(forms, national, wide.Replace(national)) // the metadata read their own form
			}
			for _, written := range forms {
				got, reason := normalize(written)
				assert.Zero(t, reason, "%s: %s", region, written)
				assert.Equal(t, want, got, "%s: %s", region, written)
			}
			for _, masked := range []string{want[:4] + "****" + want[8:], want[:4] + "xxxx" + want[8:]} {
				_, reason := normalize(masked)
				assert.Equal(t, profile.ReasonMasked, reason, masked)
			}
			_, reason := normalize(want + "转802")
			assert.Equal(t, profile.ReasonRelay, reason)
		}
	}
	assert.Greater(t, regions, 400)
}

// What a normalizer yields is its own normal form in every region, and agrees
// with what package profile makes of it where that accepts the number too.
func FuzzNormalizer(f *testing.F) {
	for _, s := range []string{
		"", "13800138000", "138****1234", "+1 (415) 555-2671", "0086 138 0013 8000", "١٢٣", "00", "+52 1 55 5123 4567",
		"13800138000-1234", "13800138000转1", "１３８００１３８０００", "\xff", "1-800-FLOWERS", "+390669812345", "tel:+1;ext=1",
	} {
		f.Add(s, "CN")
		f.Add(s, "US")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, value, region string) {
		normalize, err := phone.Normalizer(region)
		if err != nil || !utf8.ValidString(value) || len(value) > profile.MaxValueBytes {
			t.Skip()
		}
		got, reason := normalize(value)
		if reason != 0 {
			require.Empty(t, got)
			return
		}
		require.Regexp(t, `^\+[1-9][0-9]{6,14}$`, got)
		for _, elsewhere := range []string{region, "", "CN", "US"} {
			again, reason := in(t, elsewhere)(got)
			require.Zero(t, reason, "%s of %q in %q", got, value, elsewhere)
			require.Equal(t, got, again)
		}
		own, reason := profile.NormalizeE164(got)
		require.Zero(t, reason)
		require.Equal(t, got, own)
		if own, reason := profile.NormalizePhoneCN(value); reason == 0 && region == "CN" && strings.HasPrefix(got, "+86") {
			require.Equal(t, got, own, "%q", value)
		}
	})
}

func BenchmarkNormalizer(b *testing.B) {
	normalize := in(b, "CN")
	b.ReportAllocs()
	for b.Loop() {
		if _, reason := normalize("+86 138 0013 8000"); reason != 0 {
			b.Fatal(reason)
		}
	}
}
