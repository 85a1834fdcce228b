package phone_test

import (
	"context"
	"fmt"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/phone"
)

// A group that sells in Europe: numbers without a country code are German.
func Example() {
	german, err := phone.Normalizer("DE")
	if err != nil {
		fmt.Println(err)
		return
	}
	customers, err := profile.New(profile.Config{
		Normalizers: map[string]profile.Normalizer{"phone.de": german},
		Kinds:       []profile.Kind{{Name: "phone", Normalizer: "phone.de"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, number := range []string{"0151 2345-6789", "+49 151 23456789", "0033 6 12 34 56 78", "0151****6789", "0800 3301000"} {
		receipt, err := customers.Observe(context.Background(), profile.Event{
			ID: fmt.Sprint(i), Time: profileTime, Identifiers: []profile.Identifier{{Kind: "phone", Value: number}},
		})
		if err != nil {
			fmt.Println(receipt.Refused[0])
			continue
		}
		p, err := customers.Get(context.Background(), receipt.Profile)
		fmt.Println(p.Identifiers[0].Value, p.Events, err)
	}
	// Output:
	// +4915123456789 1 <nil>
	// +4915123456789 2 <nil>
	// +33612345678 1 <nil>
	// phone is masked
	// phone is not of the form of its kind
}
