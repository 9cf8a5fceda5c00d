package tune

import (
	"testing"

	"sparsevk/ops/optest"
)

func TestMain(m *testing.M) { optest.Main(m) }
