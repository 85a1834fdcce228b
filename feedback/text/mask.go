package text

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Private is a kind of personal data.
type Private string

// The kinds that [Find] knows.
const (
	Email    Private = "email"
	Phone    Private = "phone"     // mainland mobile and landline numbers, international ones with +
	IDCard   Private = "id_card"   // mainland identity numbers with a right check digit
	BankCard Private = "bank_card" // 13 to 19 digits with a right Luhn digit
	Account  Private = "account"   // WeChat and QQ accounts that are named as such
	Name     Private = "name"      // a common surname before a title: "王女士", "Mr. Smith"
	Address  Private = "address"   // a street with a house number
)

// Found is one piece of personal data.
type Found struct {
	Kind Private `json:"kind"`
	Span Span    `json:"span"`
}

type finder struct {
	kind  Private
	match *regexp.Regexp
	// group is the part that is personal.
	group int
	// digits finders see Chinese numerals as digits.
	digits bool
	holds  func(s string) bool
}

// In order of precedence where two overlap.
var finders = []finder{
	{kind: Email, match: regexp.MustCompile(`[a-z0-9._%+\-]+@[a-z0-9\-]+(?:\.[a-z0-9\-]+)+`)},
	{kind: Account, group: 1, match: regexp.MustCompile(`(?:微信|薇信|威信|v信|加v|wechat|weixin|vx|wx|qq|扣扣|企鹅)(?:号码|号|id)?[\s:：是为,，]{0,4}([a-z][a-z0-9_\-]{5,19}|[0-9]{5,11})`)},
	{kind: IDCard, match: regexp.MustCompile(`[0-9]{17}[0-9x]`), digits: true, holds: identityNumber},
	{kind: BankCard, match: regexp.MustCompile(`[0-9](?:[\s\-]?[0-9]){12,18}`), digits: true, holds: luhn},
	{kind: Phone, match: regexp.MustCompile(`\+[0-9](?:[\s\-().]{0,2}[0-9]){7,14}`), digits: true},
	{kind: Phone, match: regexp.MustCompile(`(?:0{0,2}86[\s\-]?)?1[3-9](?:[\s\-]?[0-9]){9}`), digits: true},
	{kind: Phone, match: regexp.MustCompile(`\(?0[1-9][0-9]{1,2}\)?[\s\-]?[2-9][0-9]{6,7}`), digits: true},
	{kind: Address, match: regexp.MustCompile(`[\p{Han}]{1,12}(?:路|街|大道|巷|弄|胡同)[0-9]+(?:号|弄)(?:[\p{Han}0-9a-z\-]{0,12}?[0-9]+(?:号楼|单元|室|楼|层|栋|幢|座|号))*`)},
	{kind: Address, match: regexp.MustCompile(`\b[0-9]{1,5} (?:[a-z]+ ){1,3}(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd)\b`)},
	{kind: Name, group: 1, match: regexp.MustCompile(`([` + surnames + `])(?:先生|女士|小姐|太太|师傅|经理|店长|老师|主管)`)},
	{kind: Name, group: 1, match: regexp.MustCompile(`\b(?:mr|mrs|ms|miss|dr)\.? ([a-z][a-z'\-]+)`)},
}

// surnames are the most common Chinese ones that are rarely words before a title.
const surnames = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁沈任姚卢姜崔钟谭陆汪范廖石金韦贾夏傅方邹熊孟秦邱江尹薛阎段雷侯龙史陶黎贺顾毛郝龚邵钱严武戴莫孔汤常温康"

var numerals = strings.NewReplacer(
	"〇", "0", "零", "0", "一", "1", "幺", "1", "二", "2", "三", "3", "四", "4", "五", "5", "六", "6", "七", "7", "八", "8", "九", "9",
)

// Find returns the personal data in a text, ordered by position, without
// overlap. It knows forms, not meanings: a number without a right check digit, a
// name without a title, an address without a house number are not found. Full
// width and Chinese numerals ("一三八…") are read as digits.
func Find(text string) []Found {
	f := foldText(text)
	plain := f.text
	numeric, numericAt := spellOut(plain)
	var out []Found
	free := func(s Span) bool {
		return !slices.ContainsFunc(out, func(o Found) bool { return s.Start < o.Span.End && o.Span.Start < s.End })
	}
	for _, d := range finders {
		in := plain
		if d.digits {
			in = numeric
		}
		for at := 0; at < len(in); {
			m := d.match.FindStringSubmatchIndex(in[at:])
			if m == nil {
				break
			}
			start, end := at+m[2*d.group], at+m[2*d.group+1]
			if d.digits && (digitAt(in, start-1) || digitAt(in, end)) || d.holds != nil && !d.holds(in[start:end]) {
				_, n := utf8.DecodeRuneInString(in[start:])
				at = start + n
				continue
			}
			at = end
			if d.digits {
				start, end = numericAt[start], numericAt[end]
			}
			if s := f.span(start, end); free(s) {
				out = append(out, Found{d.kind, s})
			}
		}
	}
	slices.SortFunc(out, func(a, b Found) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	return out
}

// Mask replaces the personal data in a text by its kind in brackets:
// "call [phone]". Masking twice changes nothing more. It fits
// [feedback.Config.Mask].
func Mask(text string) string {
	found := Find(text)
	if len(found) == 0 {
		return text
	}
	var b strings.Builder
	end := 0
	for _, f := range found {
		b.WriteString(text[end:f.Span.Start])
		b.WriteString("[" + string(f.Kind) + "]")
		end = f.Span.End
	}
	b.WriteString(text[end:])
	return b.String()
}

// spellOut writes Chinese numerals as digits, with the way back.
func spellOut(s string) (string, []int) {
	var b strings.Builder
	at := make([]int, 0, len(s)+1)
	for i, r := range s {
		d := numerals.Replace(string(r))
		b.WriteString(d)
		for range len(d) {
			at = append(at, i)
		}
	}
	return b.String(), append(at, len(s))
}

func digitAt(s string, i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }

// identityNumber checks date and check digit of a mainland identity number
// (GB 11643-1999, ISO 7064 MOD 11-2).
func identityNumber(s string) bool {
	year, month, day := s[6:10], s[10:12], s[12:14]
	if year < "1900" || year > "2099" || month < "01" || month > "12" || day < "01" || day > "31" {
		return false
	}
	sum := 0
	for i := range 17 {
		weight := 1
		for range 17 - i {
			weight = weight * 2 % 11
		}
		sum += int(s[i]-'0') * weight
	}
	return "10x98765432"[sum%11] == s[17]
}

// luhn checks the last digit of a card number; spaces and hyphens do not count.
func luhn(s string) bool {
	sum, n, equal := 0, 0, true
	var first byte
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < '0' || s[i] > '9' {
			continue
		}
		d := int(s[i] - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		if n > 0 && s[i] != first {
			equal = false
		}
		first = s[i]
		sum += d
		n++
	}
	return sum%10 == 0 && !equal
}
