package profile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

var terms = profile.ConsentTerms{
	Parties: []profile.ConsentParty{{ID: "lumen", Name: "Lumen Retail", Type: "controller", Address: "1 Nanjing Road, Shanghai", Contact: "privacy@lumen.example"}},
	Purposes: map[string]profile.PurposeTerms{"*": {
		PrivacyNotice: "https://lumen.example/privacy", Language: "zh-CN", PII: []string{"phone", "orders"}, Controllers: []string{"lumen"},
		StorageLocations: []string{"CN"}, RetentionPeriod: "P3Y", Jurisdiction: "CN", Recipients: []string{"none"}, WithdrawalMethod: "https://lumen.example/consent",
	}},
}

// What a customer gets to hold, shaped after ISO/IEC TS 27560.
func ExampleDirectory_ConsentReceipt() {
	ctx := context.Background()
	customers, err := profile.New(profile.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	li := profile.Identifier{Kind: "email", Value: "li@example.com"}
	may := func(n int, act profile.ConsentAct) profile.ID {
		act.Purpose, act.Channel, act.Policy = "marketing", "email", "v7"
		receipt, err := customers.Observe(ctx, profile.Event{
			ID: fmt.Sprint("c", n), Time: time.Date(2026, 3, n, 9, 0, 0, 0, time.UTC), Identifiers: []profile.Identifier{li}, Consents: []profile.ConsentAct{act},
		})
		if err != nil {
			fmt.Println(err)
		}
		return receipt.Profile
	}
	may(1, profile.ConsentAct{Granted: true, Pending: true}) // a double opt-in
	may(2, profile.ConsentAct{Granted: true, Proof: "mail 4711", ExpiresAt: time.Date(2027, 3, 2, 9, 0, 0, 0, time.UTC)})
	id := may(9, profile.ConsentAct{Granted: false})

	receipt, err := customers.ConsentReceipt(ctx, id, terms, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(receipt.Schema)
	for _, r := range receipt.Records {
		fmt.Println(r)
		fmt.Println(r.Events[1].Validity, r.Events[1].Proof, r.State(), r.Missing())
	}
	// Output:
	// ISO/IEC TS 27560:2023
	// marketing by email; requested on 2026-03-01; given on 2026-03-02; withdrawn on 2026-03-09
	// P365D mail 4711 withdrawn []
}

func TestAConsentReceiptTellsTheLifeOfEachScope(t *testing.T) {
	mother := func(a *profile.ConsentAct) { a.Guardian = "mother" }
	for name, c := range map[string]struct {
		acts []act
		at   int
		want string
	}{
		"nothing":                    {nil, 9, ""},
		"not yet":                    {[]act{grant(5, "sms")}, 4, ""},
		"given":                      {[]act{grant(5, "sms")}, 5, "marketing by sms: 5 given; given"},
		"refused":                    {[]act{withdraw(5, "sms")}, 9, "marketing by sms: 5 refused; refused"},
		"given and withdrawn":        {[]act{grant(1, "sms"), withdraw(2, "sms")}, 9, "marketing by sms: 1 given, 2 withdrawn; withdrawn"},
		"refused again":              {[]act{withdraw(1, "sms"), withdraw(2, "sms")}, 9, "marketing by sms: 1 refused, 2 refused; refused"},
		"double opt-in":              {[]act{grant(1, "sms", pending), grant(2, "sms")}, 9, "marketing by sms: 1 requested, 2 given; given"},
		"asked for, never confirmed": {[]act{grant(1, "sms", pending)}, 9, "marketing by sms: 1 requested; requested"},
		"asked again":                {[]act{grant(1, "sms"), grant(2, "sms", pending)}, 9, "marketing by sms: 1 given, 2 requested; given"},
		"expired at its instant":     {[]act{grant(1, "sms", until(5))}, 5, "marketing by sms: 1 given, 5 expired; expired"},
		"not expired before":         {[]act{grant(1, "sms", until(5))}, 4, "marketing by sms: 1 given; given"},
		"renewed in time":            {[]act{grant(1, "sms", until(5)), grant(4, "sms", until(8))}, 7, "marketing by sms: 1 given, 4 given; given"},
		"renewed too late":           {[]act{grant(1, "sms", until(5)), grant(6, "sms")}, 9, "marketing by sms: 1 given, 5 expired, 6 given; given"},
		"withdrawn after the expiry": {[]act{grant(1, "sms", until(5)), withdraw(6, "sms")}, 9, "marketing by sms: 1 given, 5 expired, 6 refused; refused"},
		"two scopes":                 {[]act{grant(2, "sms"), withdraw(1, "")}, 9, "marketing: 1 refused; refused | marketing by sms: 2 given; given"},
		"brands and guardians":       {[]act{grant(2, "sms", brand("b"), mother), grant(1, "sms", brand("a"), inferred)}, 9, "marketing by sms of a: 1 given; given | marketing by sms of b: 2 given; given"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, store := range []profile.Store{nil, profile.NewMemoryStore()} {
				d := open(t, profile.Config{Store: store})
				id := record(t, d, c.acts)
				r, err := d.ConsentReceipt(t.Context(), id, terms, day(c.at))
				require.NoError(t, err)
				var got []string
				for _, rec := range r.Records {
					require.Equal(t, id, rec.Principal)
					head, _, _ := strings.Cut(rec.String(), ";")
					var steps []string
					for _, e := range rec.Events {
						steps = append(steps, fmt.Sprintf("%d %s", e.At.Day(), e.State))
						require.Equal(t, e.State == profile.ConsentOver, e.Entity == "")
						require.Equal(t, rec.Processing.Brand == "a", e.Type == "inferred")
						require.Equal(t, rec.Processing.Brand == "b", e.Entity == "mother")
					}
					got = append(got, fmt.Sprintf("%s: %s; %s", head, strings.Join(steps, ", "), rec.State()))
				}
				require.Equal(t, c.want, strings.Join(got, " | "))
			}
		})
	}
}

func TestAConsentReceiptSurvivesItsJSON(t *testing.T) {
	d := open(t, profile.Config{})
	id := record(t, d, []act{
		grant(1, "sms", until(5), address(phone(li))), withdraw(2, "", brand("a")),
		{3, profile.ConsentAct{Purpose: "sharing", Granted: true, ExpiresAt: day(3).Add(90*time.Second + time.Millisecond)}},
	})
	r, err := d.ConsentReceipt(t.Context(), id, terms, day(9))
	require.NoError(t, err)
	b, err := json.Marshal(r)
	require.NoError(t, err)
	for _, field := range []string{
		`"schema_version":"ISO/IEC TS 27560:2023"`, `"record_id"`, `"pii_principal_id"`, `"privacy_notice"`, `"language"`, `"purpose"`, `"pii_controllers"`,
		`"storage_locations"`, `"retention_period"`, `"jurisdiction"`, `"recipient_third_parties"`, `"withdrawal_method"`, `"party_identification"`,
		`"event_time"`, `"validity_duration":"P4D"`, `"validity_duration":"PT90.001S"`, `"entity_id"`, `"event_type"`, `"event_state"`,
	} {
		require.Contains(t, string(b), field)
	}
	var back profile.ConsentReceipt
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, r, back)
	again, err := d.ConsentReceipt(t.Context(), id, terms, day(9))
	require.NoError(t, err)
	require.Equal(t, r.ID, again.ID)
	later, err := d.ConsentReceipt(t.Context(), id, terms, day(10))
	require.NoError(t, err)
	require.NotEqual(t, r.ID, later.ID)
	require.Equal(t, r.Records[0].ID, later.Records[0].ID)
	for _, rec := range r.Records {
		require.NotContains(t, rec.String(), "138")
	}
	require.ErrorIs(t, json.Unmarshal([]byte(`{"format":2}`), &back), profile.ErrConsentReceipt)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"format":"x"}`), &back), profile.ErrConsentReceipt)

	bare, err := d.ConsentReceipt(t.Context(), id, profile.ConsentTerms{Parties: []profile.ConsentParty{{ID: "x"}}}, day(9))
	require.NoError(t, err)
	require.Contains(t, bare.Records[0].Missing(), "pii_processing.retention_period")
	require.Contains(t, bare.Records[0].Missing(), "party_identification[0].party_contact")
	_, err = d.ConsentReceipt(t.Context(), "nobody", terms, day(9))
	require.ErrorIs(t, err, profile.ErrNotFound)
}

// Where one scope is all there is, the receipt and May agree at every instant.
func TestTheReceiptAgreesWithMay(t *testing.T) {
	const seed = 71
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		d := open(t, profile.Config{})
		var acts []act
		for range 1 + rng.IntN(6) {
			a := grant(1+rng.IntN(9), "sms")
			switch rng.IntN(4) {
			case 0:
				a = withdraw(a.day, "sms")
			case 1:
				until(a.day + 1 + rng.IntN(5))(&a.act)
			case 2:
				pending(&a.act)
			}
			acts = append(acts, a)
		}
		id := record(t, d, acts)
		for at := range 16 {
			r, err := d.ConsentReceipt(t.Context(), id, terms, day(at))
			require.NoError(t, err)
			p, err := d.May(t.Context(), id, profile.ConsentQuery{Purpose: "marketing", Channel: "sms"}, day(at))
			require.NoError(t, err)
			given := len(r.Records) == 1 && r.Records[0].State() == profile.ConsentGiven
			require.Equal(t, p.Granted, given, "%v at %d: %v, %v", acts, at, p, r.Records)
		}
	}
}

// A receipt that was read is written and read again as it is; anything else is
// refused and changes nothing.
func FuzzConsentReceipt(f *testing.F) {
	for _, seed := range []string{
		`{"format":1}`, `{"format":2}`, `{"format":"1"}`, `{}`, `[]`, `{"format":1,"party_identification":[{"party_id":"lumen"}]}`,
		`{"format":1,"pii_processing":{"language":"zh-CN","pii_information":["phone"]},"unknown":[{}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var read, again profile.ConsentReceipt
		if err := json.Unmarshal(b, &read); err != nil {
			require.Equal(t, profile.ConsentReceipt{}, read)
			return
		}
		if read.Format == 0 {
			return // null
		}
		first, err := json.Marshal(read)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(first, &again))
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}
