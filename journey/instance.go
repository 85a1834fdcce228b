package journey

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Status says whether an instance still moves.
type Status uint8

// The statuses. The zero status is an instance that has not started.
const (
	Active  Status = iota + 1 // in a state, waiting
	Closing                   // in a final state, with effects that are not finished; goals still count
	Ended                     // over
)

var statusNames = [...]string{"new", "active", "closing", "ended"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Instance is one customer's way through a journey: a value that [Definition.Step]
// takes and returns. Data is never changed in place.
type Instance struct {
	// ID is derived from journey, customer, key, run and start.
	ID string `json:"id"`
	// Journey is the definition's name, Version its content hash.
	Journey string `json:"journey"`
	Version string `json:"version"`
	// Customer is who it is about.
	Customer profile.ID `json:"customer"`
	// Key is the correlation key, "" where the journey has none.
	Key string `json:"key,omitempty"`
	// Run counts the entries of this customer with this key, from 1.
	Run int `json:"run"`
	// Brand is the scope within a group.
	Brand string `json:"brand,omitempty"`
	// Parent is the instance that started this one, "" for none.
	Parent string `json:"parent,omitempty"`
	// Status says whether it still moves.
	Status Status `json:"status"`
	at     uint16 // index of State in the definition, checked before use
	// Seq counts the inputs that changed the instance.
	Seq uint32 `json:"seq"`
	// State is where it is, or was at the end.
	State string `json:"state"`
	// Outcome names the end: a final state, a goal or an exit. Success is true
	// for a goal.
	Outcome string `json:"outcome,omitempty"`
	Success bool   `json:"success,omitempty"`
	// Mode is Backfill from an input that fills in history until a live one
	// moves the instance.
	Mode profile.Mode `json:"mode,omitempty"`
	// NeedUntil is the Seq of the goal or exit; messages of earlier steps are no
	// longer needed.
	NeedUntil uint32 `json:"need_until,omitempty"`
	// StartedAt, EnteredAt and EndedAt are when the journey was started, the
	// state entered, the journey ended.
	StartedAt time.Time `json:"started_at"`
	EnteredAt time.Time `json:"entered_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// Due is the next time at which a wait is over; the zero time is never.
	Due time.Time `json:"due,omitzero"`
	// Fired has a bit for each of the state's waits that was tried on this visit, FiredAt
	// is when the last of them was over.
	FiredAt time.Time `json:"fired_at,omitzero"`
	Fired   int       `json:"fired,omitempty"`
	// Burst counts the changes since BurstAt, within an hour, with those of the
	// instances that led here by Start: what runs in circles is stopped.
	BurstAt time.Time `json:"burst_at,omitzero"`
	Burst   int       `json:"burst,omitempty"`
	// Pending is the number of effects that are not finished.
	Pending int `json:"pending,omitempty"`
	// Zone is the IANA name of the time zone in which Due was computed.
	Zone string `json:"zone,omitempty"`
	// Data is what the definition remembers of the inputs.
	Data profile.Values `json:"data,omitempty"`
}

// InstanceID derives the ID of an instance: the second of its start, then a hash of
// the rest, in hexadecimal digits. IDs order by the start, so that what is written of
// instances that started together lies together in a store, however many there are.
func InstanceID(journey string, customer profile.ID, key string, run int, started time.Time) string {
	id := instanceID(journey, customer, key, run, started)
	return string(id[:])
}

func instanceID(journey string, customer profile.ID, key string, run int, started time.Time) (id [32]byte) {
	b := make([]byte, 4, 128)
	binary.BigEndian.PutUint32(b, uint32(min(max(started.Unix(), 0), math.MaxUint32)))
	b = append(b, journey...)
	b = append(b, 0)
	b = append(b, customer...)
	b = append(b, 0)
	b = append(b, key...)
	b = append(b, 0)
	b = strconv.AppendInt(b, int64(run), 10)
	sum := sha256.Sum256(b)
	hex.Encode(id[:], b[:4])
	hex.Encode(id[8:], sum[:12])
	return id
}

// Open reports whether the instance still takes inputs.
func (in *Instance) Open() bool { return in.Status == Active || in.Status == Closing }
