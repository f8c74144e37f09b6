package main

import (
	"bytes"
	"os"
	"strconv"
)

// peak measures the most memory that was resident since its start. Linux keeps that mark and
// lets a process lower it to what is resident now; elsewhere nothing is known.
type peak struct{ started bool }

func startPeak() peak {
	return peak{started: os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil}
}

// bytes is nil where it is not known.
func (p peak) bytes() *int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || !p.started {
		return nil
	}
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kilobytes, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
			if err != nil {
				return nil
			}
			most := kilobytes << 10
			return &most
		}
	}
	return nil
}
