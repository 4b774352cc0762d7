package family

import (
	"faultline/generators/model"
	"faultline/generators/prog"
)

// derive fills in the needs and the expectations of a program.
func derive(p *prog.Prog) error { return model.Derive(p, page) }
