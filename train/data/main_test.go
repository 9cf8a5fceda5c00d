package data

import (
	"testing"

	"go.uber.org/goleak"
)

// No test leaves a goroutine, of reading ahead least of all.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
