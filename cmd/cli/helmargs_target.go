package cli

import (
	"fmt"
	"path/filepath"
)

// targetFlags say which cluster helm talks to.
func targetFlags() map[string]helmFlag {
	return map[string]helmFlag{
		"--kubeconfig": {do: func(p *argsParser, value string) error {
			if !filepath.IsAbs(value) {
				value = filepath.Join(p.dir, value)
			}
			p.call.kubeconfig = value
			return nil
		}},
		"--kube-context": {do: func(p *argsParser, value string) error {
			p.call.context = value
			return nil
		}},
	}
}

// connect heeds what the flags of Helm in state files say of clusters. The
// context holds for releases that name none. There is one kubeconfig a run, so
// that --kubeconfig wins, and two files that differ are an error.
func (s *session) connect(f *fleet) error {
	kubeconfig, from := s.globals.Kubeconfig, ""
	loaded := f.spec
	for i, call := range f.calls {
		if call.context != "" {
			loaded = loaded.WithContext(i, call.context)
		}
		switch {
		case call.kubeconfig == "" || s.globals.Kubeconfig != "":
		case kubeconfig == "" || kubeconfig == call.kubeconfig:
			kubeconfig, from = call.kubeconfig, f.spec.Files[i].Path
		default:
			return fmt.Errorf("%s: flags of helm: --kubeconfig %s, but %s says %s: join them in KUBECONFIG and use contexts, or say --kubeconfig",
				f.spec.Files[i].Path, call.kubeconfig, from, kubeconfig)
		}
	}
	s.globals.Kubeconfig, f.spec = kubeconfig, loaded
	return nil
}
