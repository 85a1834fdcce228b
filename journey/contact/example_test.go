package contact_test

import (
	"fmt"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

func Example() {
	gate, err := contact.New(contact.Policy{
		Zone:  "Asia/Shanghai",
		Quiet: []contact.Quiet{{From: "22:00", To: "09:00"}},
		Caps:  []contact.Cap{{Max: 1, Calendar: contact.Day, Purpose: "marketing"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	day := time.Date(2026, 11, 10, 4, 0, 0, 0, time.UTC) // noon in Shanghai
	row := contact.Row{}.WithConsent(profile.ConsentAct{Purpose: "marketing", Channel: "sms", Granted: true}, day)
	message := contact.Message{Key: "m1", Template: "cart", Purpose: "marketing", Channels: []string{"wechat", "sms"}}

	decision, row := gate.Decide(row, message, contact.Facts{}, day)
	fmt.Println(decision)
	message.Key = "m2"
	decision, _ = gate.Decide(row, message, contact.Facts{}, day.Add(time.Hour))
	fmt.Println(decision)
	// Output:
	// falls back to sms: no consent (never given for marketing)
	// deferred to 2026-11-11 09:00 +0800 on sms: cap reached (1 a day for marketing); wechat: no consent (never given for marketing)
}
