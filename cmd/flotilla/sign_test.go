package main

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/rogpeppe/go-internal/testscript"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/provenance"
)

// sign packages a chart folder into the folder of a script, signs the archive
// with a new key, and writes the keyring that trusts this key.
func sign(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sign CHART-FOLDER ARCHIVE KEYRING")
	}
	loaded, err := loader.Load(args[0])
	ts.Check(err)
	dir, err := os.MkdirTemp(ts.Getenv("TMPDIR"), "packed")
	ts.Check(err)
	packed, err := chartutil.Save(loaded, dir)
	ts.Check(err)
	data, err := os.ReadFile(packed)
	ts.Check(err)
	entity, err := openpgp.NewEntity("Tester", "", "tester@example.com", nil)
	ts.Check(err)
	signature, err := (&provenance.Signatory{Entity: entity}).ClearSign(data, filepath.Base(args[1]), []byte("name: hello\n"))
	ts.Check(err)
	var ring bytes.Buffer
	ts.Check(entity.Serialize(&ring))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]+".prov"), []byte(signature), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), ring.Bytes(), 0o600))
}
