package profile

// Decision says who decided something about a customer's identity, and why.
type Decision struct {
	// Actor names the person or the process; required.
	Actor string `json:"actor"`
	// Reason is what the actor gave as reason.
	Reason string `json:"reason,omitempty"`
}
