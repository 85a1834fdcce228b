package profile

import "time"

// ConsentAct is one explicit act of a customer: granting or withdrawing
// permission to be reached for a purpose.
type ConsentAct struct {
	// Purpose is what for: "marketing", "service", "survey".
	Purpose string `json:"purpose"`
	// Channel is the way: "sms", "wechat", "email"; empty means every channel.
	Channel string `json:"channel,omitempty"`
	// Address is the single address meant; the zero Identifier means every one.
	Address Identifier `json:"address,omitzero"`
	// Brand is the scope; empty means the whole group.
	Brand string `json:"brand,omitempty"`
	// Granted is true for consent, false for its withdrawal.
	Granted bool `json:"granted"`
	// Inferred marks what no explicit act says; the most restrictive wins among these.
	Inferred bool `json:"inferred,omitempty"`
	// Pending marks a grant that was asked for and awaits its confirmation, as in
	// a double opt-in. It grants nothing and takes nothing back.
	Pending bool `json:"pending,omitempty"`
	// Guardian names, as the caller knows them, who acted for a minor; empty
	// where the customer acted.
	Guardian string `json:"guardian,omitempty"`
	// Policy is the version of the text that was agreed to.
	Policy string `json:"policy,omitempty"`
	// Proof says where the act can be looked up: a form, a recording.
	Proof string `json:"proof,omitempty"`
	// ExpiresAt ends the consent; the zero time never does.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}
