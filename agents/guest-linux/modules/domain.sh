module_domain() { fail NotSupported 'not there yet'; }
