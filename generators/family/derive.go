package family

import "faultline/generators/prog"

// derive fills in the needs and the expectations of a program.
func derive(p *prog.Prog) error {
	for _, need := range prog.Requires(p) {
		p.Need(need)
	}
	return p.Validate()
}
