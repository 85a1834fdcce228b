package shop

import (
	"github.com/cxkit/cxkit/examples/retail/cdnow"
	"github.com/cxkit/cxkit/examples/retail/olist"
	"github.com/cxkit/cxkit/profile"
)

// Kinds says which identifiers make a customer, strongest first.
//
// The numbers by which a marketplace names a buyer for one order or one week
// find that order's events and tie nothing else to them. The tablets in the
// shops are known and blocked; a device that nobody has told us of is held in
// check by the limits of the stronger kinds.
func Kinds(tablets []string) []profile.Kind {
	return []profile.Kind{
		{Name: "wechat.unionid", Priority: 10, Limit: 1, PerScope: true},
		{Name: "wechat.openid", Priority: 20, Limit: 1, PerScope: true},
		{Name: "member", Priority: 30, Limit: 1, PerScope: true},
		{Name: "phone", Priority: 40, Limit: 2, Normalizer: "phone.cn", Blocked: []string{"13800000000"}},
		{Name: "email", Priority: 50, Limit: 3, Normalizer: "email"},
		{Name: "wecom.external", Priority: 60, Limit: 1, PerScope: true},
		{Name: "device", Priority: 100, Blocked: tablets},
		{Name: "cookie", Priority: 110},
		{Name: "tmall.oaid", Use: profile.LooksUp, Priority: 200},
		{Name: "jd.xid", Use: profile.LooksUp, Priority: 210},
		{Name: olist.PersonKind, Priority: 300},
		{Name: olist.OrderTokenKind, Use: profile.Kept, Priority: 310},
		{Name: cdnow.PersonKind, Priority: 320},
	}
}
