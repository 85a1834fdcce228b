package world

import "strconv"

// The brands of the group.
const (
	Lumen  = "lumen"  // clothes and shoes
	Hearth = "hearth" // kitchen appliances
)

var brands = [2]string{Lumen, Hearth}

// The kinds of identifier in the feed. [KindMember], [KindOpenID],
// [KindTmall] and [KindJD] are followed by a scope: KindMember + "/" + Lumen.
const (
	KindMember  = "member"               // /brand: the number of the membership card
	KindPhone   = "phone"                // as typed: see the traps
	KindEmail   = "email"                //
	KindUnionID = "wechat.unionid/group" // one per person, for both mini programs
	KindOpenID  = "wechat.openid"        // /brand-mini: one per person and mini program
	KindWeCom   = "wecom.external/group" // a contact of a shop assistant
	KindDevice  = "device"               // a telephone with the app, or a tablet in a shop
	KindCookie  = "cookie"               // a browser of the web shop, until it forgets
	KindTmall   = "tmall.oaid"           // /brand-flagship: good for one order
	KindJD      = "jd.xid"               // /brand-flagship: good for one week
)

// channel is where something happens.
type channel uint8

const (
	mini channel = iota
	app
	web
	tmall
	jd
	till
	tablet
	wecom
	call
	crm
	oper
	nChannels
)

var channelNames = [nChannels]string{"mini", "app", "web", "tmall", "jd", "till", "tablet", "wecom", "call", "crm", "operator"}

func (c channel) String() string { return channelNames[c] }

// Outlet is a shop with tills and tablets, as the group's master data list it.
type Outlet struct {
	ID, Brand, City string
	// Tablets are those on the list, by their value of KindDevice. Each outlet
	// has another one that nobody has listed.
	Tablets    []string
	Cashiers   []string
	Assistants []string

	tablets []string
}

var outletPlaces = [2][4]string{
	{"Shanghai", "Hangzhou", "Chengdu", "Shenzhen"},
	{"Shanghai", "Beijing", "Wuhan", "Guangzhou"},
}

type product struct {
	sku, category string
	price         int64 // fen
}

type assortment struct {
	category    string
	low, high   int64 // yuan
	returnShare float64
	items       int
}

var ranges = [2][]assortment{
	{
		{"shoes", 299, 899, 0.17, 14},
		{"coats", 399, 1599, 0.16, 10},
		{"knitwear", 159, 499, 0.14, 12},
		{"shirts", 99, 359, 0.12, 14},
		{"accessories", 39, 199, 0.05, 10},
	},
	{
		{"kettles", 129, 399, 0.04, 8},
		{"coffee", 299, 2499, 0.05, 10},
		{"cookers", 259, 1299, 0.04, 10},
		{"blenders", 159, 699, 0.06, 8},
		{"filters", 29, 99, 0.01, 8},
	},
}

type catalog struct {
	products [2][]product
	returns  map[string]float64
}

func newCatalogue(h hasher) catalog {
	c := catalog{returns: map[string]float64{}}
	for b := range brands {
		for _, l := range ranges[b] {
			c.returns[l.category] = l.returnShare
			for i := range l.items {
				x := h.mix(uint64(b), uint64(i), uint64(l.low))
				yuan := l.low + int64(x%uint64(l.high-l.low))
				price := yuan/10*1000 + 900 // …9.00
				if x%5 == 0 {
					price += 90 // …9.90
				}
				c.products[b] = append(c.products[b], product{
					sku:      brands[b][:1] + "-" + l.category + "-" + strconv.Itoa(i+1),
					category: l.category,
					price:    price,
				})
			}
		}
	}
	return c
}

var (
	families = []string{"Li", "Wang", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu", "Xu", "Sun", "Hu", "Zhu", "Gao", "Lin", "He", "Guo", "Ma", "Luo"}
	givens   = []string{"Wei", "Fang", "Na", "Min", "Jing", "Qiang", "Lei", "Yan", "Jie", "Juan", "Tao", "Ming", "Chao", "Xia", "Ping", "Gang", "Yu", "Hui", "Bo", "Lan", "Ting", "Xin", "Yi", "Rui"}
	cities   = []string{"Shanghai", "Beijing", "Guangzhou", "Shenzhen", "Hangzhou", "Chengdu", "Wuhan", "Nanjing", "Xi'an", "Suzhou"}
	mobile   = []string{"130", "131", "132", "135", "136", "137", "138", "139", "150", "151", "152", "157", "158", "159", "176", "177", "182", "185", "186", "187", "188", "189", "199"}
)
