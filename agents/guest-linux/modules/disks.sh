module_disks() { fail NotSupported 'not there yet'; }
