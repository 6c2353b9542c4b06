package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// leaks looks for canaries, texts of letters and digits that stand inside of
// secrets: "leaks CANARY,CANARY PLACE...". A place is a file, a folder with all
// that is in it, or cluster:NAMESPACE, the records and Leases there. It also
// finds them in base64, twice if need be, in hexadecimal, and compressed. With !
// at least one of them has to be there.
func leaks(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: leaks CANARY,CANARY PLACE...")
	}
	forms := map[string]string{} // as it may be written -> canary
	for _, canary := range strings.Split(args[0], ",") {
		for _, form := range written([]byte(canary)) {
			forms[form] = canary
		}
	}
	var found []string
	looked := 0
	look := func(where string, text []byte) {
		looked++
		for _, text := range withPlain(text) {
			for form, canary := range forms {
				if i := bytes.Index(text, []byte(form)); i >= 0 {
					found = append(found, canary+" in "+where+": ..."+string(text[max(0, i-80):min(len(text), i+80)])+"...")
				}
			}
		}
	}
	for _, place := range args[1:] {
		if ns, is := strings.CutPrefix(place, "cluster:"); is {
			lookInCluster(ts, ns, look)
			continue
		}
		lookInFiles(ts, ts.MkAbs(place), look)
	}
	slices.Sort(found)
	switch {
	case looked == 0 && !neg:
		ts.Fatalf("there is nothing in %v", args[1:])
	case neg && len(found) == 0:
		ts.Fatalf("none of %s is in %v", args[0], args[1:])
	case !neg && len(found) > 0:
		ts.Fatalf("%s", strings.Join(found, "\n\n"))
	}
}

// written are the forms of a text that its letters do not show through.
func written(text []byte) []string {
	all := []string{string(text), hex.EncodeToString(text), strings.ToUpper(hex.EncodeToString(text))}
	for range 2 {
		for _, form := range slices.Clone(all) {
			all = append(all, inBase64([]byte(form))...)
		}
	}
	return all
}

// inBase64 are the letters that a text surely has within a longer one: what stands
// before and behind it changes those at its ends.
func inBase64(text []byte) []string {
	var all []string
	for shift := range 3 {
		shifted := append(bytes.Repeat([]byte{0}, shift), text...)
		whole := base64.StdEncoding.EncodeToString(shifted)
		from, to := (shift*8+5)/6, len(shifted)*8/6
		all = append(all, whole[from:to], base64.URLEncoding.EncodeToString(shifted)[from:to])
	}
	return all
}

// withPlain gives a text as it is and, if it is compressed, what it was.
func withPlain(text []byte) [][]byte {
	all := [][]byte{text}
	zip, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return all
	}
	if plain, err := io.ReadAll(zip); err == nil {
		all = append(all, plain)
	}
	return all
}

func lookInFiles(ts *testscript.TestScript, root string, look func(string, []byte)) {
	ts.Check(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		look(path+" (its name)", []byte(path))
		look(path, text)
		return err
	}))
}

// lookInCluster reads what flotilla itself keeps: Helm's own records hold all
// values, as the helm program has it.
func lookInCluster(ts *testscript.TestScript, ns string, look func(string, []byte)) {
	config, err := clientcmd.BuildConfigFromFlags("", ts.Getenv("KUBECONFIG"))
	ts.Check(err)
	client, err := kubernetes.NewForConfig(config)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	secrets, err := client.CoreV1().Secrets(ns).List(ctx, metav1.ListOptions{LabelSelector: "flotilla.sh/run"})
	ts.Check(err)
	for _, s := range secrets.Items {
		for key, data := range s.Data {
			look("record "+s.Name+" "+key, data)
		}
		look("record "+s.Name, []byte(s.ObjectMeta.String()))
	}
	leases, err := client.CoordinationV1().Leases(ns).List(ctx, metav1.ListOptions{})
	ts.Check(err)
	for _, l := range leases.Items {
		look("Lease "+l.Name, []byte(l.String()))
	}
	if len(secrets.Items) == 0 {
		ts.Fatalf("there are no records in %s", ns)
	}
}
