//go:build windows

package durable

// SyncDir does nothing: Windows cannot sync a folder, and NTFS journals its
// entries.
func (OS) SyncDir(string) error { return nil }
