module_files() { fail NotSupported 'not there yet'; }
