module_scripts() { fail NotSupported 'not there yet'; }
