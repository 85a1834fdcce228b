// Package campaign holds the journeys of the retail example, one a file, each
// with the scenario that tests it.
package campaign

import (
	"github.com/cxkit/cxkit/journey"
)

// zone is where the group's customers are.
const zone = "Asia/Shanghai"

// All lists the journeys of the group.
func All() []*journey.Builder {
	return []*journey.Builder{Welcome(), AbandonedCart(), Hesitation(), LateDelivery(), WinBack()}
}
