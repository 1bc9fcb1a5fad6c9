BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL
);
INSERT INTO "alembic_version" VALUES('e43177bfe90b');
CREATE TABLE assignment (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	duedate DATETIME, 
	course_id VARCHAR(128) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	FOREIGN KEY(course_id) REFERENCES course (id)
);
INSERT INTO "assignment" VALUES('d6e45c4feca843f7608c070025edaa77','01_double','2026-09-21 22:00:00.000000','small');
INSERT INTO "assignment" VALUES('b9354dd9c4b61c5c5f37f33260a8decb','02_triple','2026-10-05 22:00:00.000000','small');
CREATE TABLE base_cell (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	notebook_id VARCHAR(32) NOT NULL, 
	type VARCHAR(50), 
	PRIMARY KEY (id), 
	UNIQUE (name, notebook_id, type), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "base_cell" VALUES('879bd18bd61e153c26a225638482cd96','double_function','5109fb59c1ff5e58455602433f1e666c','SolutionCell');
INSERT INTO "base_cell" VALUES('cb4814ec96e708af77f1e57d81a28483','fourfold_function','5109fb59c1ff5e58455602433f1e666c','SolutionCell');
INSERT INTO "base_cell" VALUES('2cf5678e66b27ae34ad1be8cb51d0906','interface_double','5109fb59c1ff5e58455602433f1e666c','GradeCell');
INSERT INTO "base_cell" VALUES('5ed5f4b256564055365f8f32c915bdd9','numeric_double','5109fb59c1ff5e58455602433f1e666c','GradeCell');
INSERT INTO "base_cell" VALUES('0c9b845dc6897a6ed8645c0a587edf6d','interface_fourfold','5109fb59c1ff5e58455602433f1e666c','GradeCell');
INSERT INTO "base_cell" VALUES('7c6b03afdf4431882ec3be06a0e4787c','written_why','5109fb59c1ff5e58455602433f1e666c','GradeCell');
INSERT INTO "base_cell" VALUES('44b1f0d8dcd6d1f04fd250053f353a1d','written_why','5109fb59c1ff5e58455602433f1e666c','SolutionCell');
INSERT INTO "base_cell" VALUES('1bca24a499295689a750184effa89c3e','triple_function','f65a4b9e1ec95032e17c763604022920','SolutionCell');
INSERT INTO "base_cell" VALUES('90c476b3a079840c0c22ab26c5101dec','interface_triple','f65a4b9e1ec95032e17c763604022920','GradeCell');
INSERT INTO "base_cell" VALUES('b75acad431e13207ed6ba272a518220b','speed_triple','f65a4b9e1ec95032e17c763604022920','GradeCell');
CREATE TABLE comment (
	id VARCHAR(32) NOT NULL, 
	notebook_id VARCHAR(32), 
	cell_id VARCHAR(32), 
	auto_comment TEXT, 
	manual_comment TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (cell_id, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES submitted_notebook (id), 
	FOREIGN KEY(cell_id) REFERENCES base_cell (id)
);
INSERT INTO "comment" VALUES('0d492e0ce9a510ef0cc924b8cc128b1f','897719c8db3da0c439c9777114b34d66','879bd18bd61e153c26a225638482cd96',NULL,NULL);
INSERT INTO "comment" VALUES('39658a5a93d990f409948a52ced09ba7','897719c8db3da0c439c9777114b34d66','cb4814ec96e708af77f1e57d81a28483',NULL,NULL);
INSERT INTO "comment" VALUES('6bd237cba4a12ba4674bd1d23ea43d67','897719c8db3da0c439c9777114b34d66','44b1f0d8dcd6d1f04fd250053f353a1d',NULL,'Yes.');
INSERT INTO "comment" VALUES('a0fbd2074c6d437951a0b0e072af5ef3','7833939c74b0fd7c1f180ee4b8f062f9','879bd18bd61e153c26a225638482cd96',NULL,NULL);
INSERT INTO "comment" VALUES('1cf17ec071386c22fe9bc0fe6b29fbd8','7833939c74b0fd7c1f180ee4b8f062f9','cb4814ec96e708af77f1e57d81a28483',NULL,NULL);
INSERT INTO "comment" VALUES('d04c91bd6ff762c7005230f4092ad1a3','7833939c74b0fd7c1f180ee4b8f062f9','44b1f0d8dcd6d1f04fd250053f353a1d','No response.',NULL);
INSERT INTO "comment" VALUES('660a3d147e79ff473956f9da1eb01369','a27f9d1bdb0444bd7835aff85d786f2e','879bd18bd61e153c26a225638482cd96',NULL,NULL);
INSERT INTO "comment" VALUES('d9bd58715e73003d8e30db574f3b30b5','a27f9d1bdb0444bd7835aff85d786f2e','cb4814ec96e708af77f1e57d81a28483',NULL,NULL);
INSERT INTO "comment" VALUES('f23f53e7f1aec394f1edfad55a837fa9','a27f9d1bdb0444bd7835aff85d786f2e','44b1f0d8dcd6d1f04fd250053f353a1d',NULL,'Schön! Now say it in a formula.');
INSERT INTO "comment" VALUES('17df4c85fd30ad6eafd08c0efd846f35','e10620e778124f9e42752f8ecb5a7d34','879bd18bd61e153c26a225638482cd96',NULL,NULL);
INSERT INTO "comment" VALUES('713bded372239c1be8c5f93fda4da8e1','e10620e778124f9e42752f8ecb5a7d34','cb4814ec96e708af77f1e57d81a28483',NULL,NULL);
INSERT INTO "comment" VALUES('7dfd25a2c161ed7fbec4bc16822932ed','e10620e778124f9e42752f8ecb5a7d34','44b1f0d8dcd6d1f04fd250053f353a1d',NULL,NULL);
INSERT INTO "comment" VALUES('f340e20e3ab2a1b530680cc8025fdc42','d52033aefa4a584f79c153b8cdee6649','1bca24a499295689a750184effa89c3e',NULL,NULL);
INSERT INTO "comment" VALUES('559960a458e26971a1659f5e56d78ef9','b4b2db22da1133bb1301ce889e44da67','1bca24a499295689a750184effa89c3e',NULL,NULL);
INSERT INTO "comment" VALUES('92a5acb0df9a34905d05505f0c28a33a','6cdc1666b53d1c1f9be95615e39606d5','1bca24a499295689a750184effa89c3e',NULL,NULL);
CREATE TABLE course (
	id VARCHAR(128) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (id)
);
INSERT INTO "course" VALUES('small');
INSERT INTO "course" VALUES('default_course');
CREATE TABLE examiner_entered (
	id VARCHAR(32) NOT NULL, 
	sheet VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "examiner_entered" VALUES('67fc2fbe41d254c301513c87d4869c6b','f1d3ed15d9c3c7e6fe3b021330079e05e9206fb811ed9221adedcf1e7c45279c');
INSERT INTO "examiner_entered" VALUES('f471668f318d62b8a2699bd3ebe84c8e','fcae897d331dd9f83af258c4ce3f56132ee7eb437abd0bc1dcf2544220a36207');
INSERT INTO "examiner_entered" VALUES('f1f637468af3e1a13a9fc9b89890e0e8','dcad77b5c79728f27b9beb2d42877523ac28aed7dd6b1a5dc6f1e97b75105236');
INSERT INTO "examiner_entered" VALUES('8f9a69ddd1f3280f3c971448b9f3a28a','27ec1652846ca23db4ede63270ef4b04165bc84a2351264fda5c44c77732e6a0');
INSERT INTO "examiner_entered" VALUES('4cf351ef48ba57e3399d124e0a71a127','091eddfc0af8f0809ba1f33bc983c36fcb490eadc0be07d947f256656f08e6b0');
INSERT INTO "examiner_entered" VALUES('64fc1e775ad48124967ff67e9b05d360','8837a61d720db10873babb2d703bd8604befa0d7c1f20e87149877247c16342f');
INSERT INTO "examiner_entered" VALUES('6c2ba3bcf6fe694255018a9938a6d194','548f9dc3dda7e78d12374f7d1cce92af0200cd5c3d7bca83c662c8c11413c3b0');
CREATE TABLE grade (
	id VARCHAR(32) NOT NULL, 
	notebook_id VARCHAR(32), 
	cell_id VARCHAR(32), 
	auto_score FLOAT, 
	manual_score FLOAT, 
	extra_credit FLOAT, 
	needs_manual_grade BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (cell_id, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES submitted_notebook (id), 
	FOREIGN KEY(cell_id) REFERENCES base_cell (id)
);
INSERT INTO "grade" VALUES('63efeb865be78c44825baee149dd1942','897719c8db3da0c439c9777114b34d66','2cf5678e66b27ae34ad1be8cb51d0906',4.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('aec6919b8ec3043c7bae5a2e02ae001a','897719c8db3da0c439c9777114b34d66','5ed5f4b256564055365f8f32c915bdd9',3.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('fa6ad1c22251731733f7fc37c4ffe05a','897719c8db3da0c439c9777114b34d66','0c9b845dc6897a6ed8645c0a587edf6d',1.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('be16dfae04800178a40ec2a7978adb30','897719c8db3da0c439c9777114b34d66','7c6b03afdf4431882ec3be06a0e4787c',NULL,2.0,NULL,0);
INSERT INTO "grade" VALUES('a55ca669b09d39fa541f236825e69525','7833939c74b0fd7c1f180ee4b8f062f9','2cf5678e66b27ae34ad1be8cb51d0906',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('89ba6fb931be40d540cb860dfe298833','7833939c74b0fd7c1f180ee4b8f062f9','5ed5f4b256564055365f8f32c915bdd9',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('444373e3d21217a43410162af6c84b5d','7833939c74b0fd7c1f180ee4b8f062f9','0c9b845dc6897a6ed8645c0a587edf6d',1.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('cd51011874a1b328e49eb976a7252e13','7833939c74b0fd7c1f180ee4b8f062f9','7c6b03afdf4431882ec3be06a0e4787c',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('a4ce7e8c2f13ecc672df17f69380a960','a27f9d1bdb0444bd7835aff85d786f2e','2cf5678e66b27ae34ad1be8cb51d0906',4.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('566700bebf652b377352d6a45c726932','a27f9d1bdb0444bd7835aff85d786f2e','5ed5f4b256564055365f8f32c915bdd9',2.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('9ed6f0feec6e0d82f3c948d330368f75','a27f9d1bdb0444bd7835aff85d786f2e','0c9b845dc6897a6ed8645c0a587edf6d',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('1a4ea7dba42dd8fc00ab2bcf728810b4','a27f9d1bdb0444bd7835aff85d786f2e','7c6b03afdf4431882ec3be06a0e4787c',NULL,1.75,0.5,0);
INSERT INTO "grade" VALUES('05af6cfa45a0c750620374ec371027a1','e10620e778124f9e42752f8ecb5a7d34','2cf5678e66b27ae34ad1be8cb51d0906',4.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('b77af5d4258758e1e7f69145cfa07179','e10620e778124f9e42752f8ecb5a7d34','5ed5f4b256564055365f8f32c915bdd9',3.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('7de511b10c761fc801c2c662df44edd8','e10620e778124f9e42752f8ecb5a7d34','0c9b845dc6897a6ed8645c0a587edf6d',1.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('112cc8bd00c523beeeb2271466c812b8','e10620e778124f9e42752f8ecb5a7d34','7c6b03afdf4431882ec3be06a0e4787c',NULL,NULL,NULL,1);
INSERT INTO "grade" VALUES('c06dc0d8583ccf8e39bffdf3b6cec2e0','d52033aefa4a584f79c153b8cdee6649','90c476b3a079840c0c22ab26c5101dec',6.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('c34f259b2d647477b5ae40faabd56dc5','d52033aefa4a584f79c153b8cdee6649','b75acad431e13207ed6ba272a518220b',4.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('b31994b75944e04384c492a48699a746','b4b2db22da1133bb1301ce889e44da67','90c476b3a079840c0c22ab26c5101dec',6.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('b0bfc1b55d0b5bb46dd2946cc2a21139','b4b2db22da1133bb1301ce889e44da67','b75acad431e13207ed6ba272a518220b',4.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('93974e0b3cd86f3ced0111df26394014','6cdc1666b53d1c1f9be95615e39606d5','90c476b3a079840c0c22ab26c5101dec',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('94bb91972d264f85e838961915720f77','6cdc1666b53d1c1f9be95615e39606d5','b75acad431e13207ed6ba272a518220b',0.0,NULL,NULL,0);
CREATE TABLE grade_cells (
	id VARCHAR(32) NOT NULL, 
	max_score FLOAT NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
INSERT INTO "grade_cells" VALUES('2cf5678e66b27ae34ad1be8cb51d0906',4.0,'code');
INSERT INTO "grade_cells" VALUES('5ed5f4b256564055365f8f32c915bdd9',3.0,'code');
INSERT INTO "grade_cells" VALUES('0c9b845dc6897a6ed8645c0a587edf6d',1.0,'code');
INSERT INTO "grade_cells" VALUES('7c6b03afdf4431882ec3be06a0e4787c',2.0,'markdown');
INSERT INTO "grade_cells" VALUES('90c476b3a079840c0c22ab26c5101dec',6.0,'code');
INSERT INTO "grade_cells" VALUES('b75acad431e13207ed6ba272a518220b',4.0,'code');
CREATE TABLE notebook (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	assignment_id VARCHAR(32), 
	kernelspec VARCHAR(1024), 
	PRIMARY KEY (id), 
	UNIQUE (name, assignment_id), 
	FOREIGN KEY(assignment_id) REFERENCES assignment (id)
);
INSERT INTO "notebook" VALUES('5109fb59c1ff5e58455602433f1e666c','double','d6e45c4feca843f7608c070025edaa77','{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO "notebook" VALUES('f65a4b9e1ec95032e17c763604022920','triple','b9354dd9c4b61c5c5f37f33260a8decb','{"display_name": "Python 3", "language": "python", "name": "python3"}');
CREATE TABLE solution_cells (
	id VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
INSERT INTO "solution_cells" VALUES('879bd18bd61e153c26a225638482cd96');
INSERT INTO "solution_cells" VALUES('cb4814ec96e708af77f1e57d81a28483');
INSERT INTO "solution_cells" VALUES('44b1f0d8dcd6d1f04fd250053f353a1d');
INSERT INTO "solution_cells" VALUES('1bca24a499295689a750184effa89c3e');
CREATE TABLE source_cell (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	locked BOOLEAN NOT NULL, 
	source TEXT, 
	checksum VARCHAR(128), 
	notebook_id VARCHAR(32), 
	PRIMARY KEY (id), 
	UNIQUE (name, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "source_cell" VALUES('5b29ec8a8ef6840bf3d5610194241f49','imports','code',1,'import numpy as np','ec6514f3c4c5b39f6d6913e07e80a5b0','5109fb59c1ff5e58455602433f1e666c');
INSERT INTO "source_cell" VALUES('cfef85710c28b3653ec4e546a845018b','double_function','code',0,'def double(x):
    """Return twice x."""
    # YOUR CODE HERE
    raise NotImplementedError()','3b566159e36c1c5400ce88b2dcde3797','5109fb59c1ff5e58455602433f1e666c');
INSERT INTO "source_cell" VALUES('29084f2f2482dfba3f63d5ac2f2d8019','fourfold_function','code',0,'def fourfold(x):
    # YOUR CODE HERE
    raise NotImplementedError()','4464e95578399fab4a559f8e423a1599','5109fb59c1ff5e58455602433f1e666c');
INSERT INTO "source_cell" VALUES('10686f9dd823619ddc1dc0fe7f2ce35b','interface_double','code',1,'# double works on a number
from examiner_checks import check_equal
assert double(2) == 4, "Two and two is four."
### BEGIN HIDDEN TESTS
check_equal(double(21), 42, hint="Try larger numbers.")
### END HIDDEN TESTS
assert double(0) == 0','528f04f05cd70fb01d66f9b6de7183f7','5109fb59c1ff5e58455602433f1e666c');
INSERT INTO "source_cell" VALUES('034ddf60ba1d4c3fafef9ad05a3f7d22','numeric_double','code',1,'# double works on arrays
import numpy as np
from examiner_checks import attempt, award, check_array, rng
### BEGIN HIDDEN TESTS
x = rng("numeric_double").integers(1, 1000, size=5).astype(float)
print("drawn:", x.tolist())
with attempt(2, "arrays"):
    check_array(double(x), 2 * x, hint="Use an operator of numpy''s.")
with attempt(1, "negative numbers"):
    check_array(double(-x), -2 * x)
### END HIDDEN TESTS
award(0)','b3801ad8ad79af176be48fcb6cc2a2a6','5109fb59c1ff5e58455602433f1e666c');
INSERT INTO "source_cell" VALUES('b878a5286004473c71e294240a744197','interface_fourfold','code',1,'kept = double
del double
try:
    fourfold(1)
except NameError:
    pass
else:
    raise AssertionError("fourfold does not use double")
finally:
    double = kept','b63bb58b2b5bc9afa79ee9b6321ff08c','5109fb59c1ff5e58455602433f1e666c');
INSERT INTO "source_cell" VALUES('4aaaefa33ab869b849ecf0ff56467bfb','written_why','markdown',0,'YOUR ANSWER HERE','4bd3270892bd1fa7c22cd89998ce9402','5109fb59c1ff5e58455602433f1e666c');
INSERT INTO "source_cell" VALUES('60e35fac190555ac5bdbea450d39fcee','imports','code',1,'import numpy as np
from pack import double','b3ba6493dd8092962110e56e9f9580e2','f65a4b9e1ec95032e17c763604022920');
INSERT INTO "source_cell" VALUES('257f3834b533b01d5bc1a91a4680ca0d','triple_function','code',0,'def triple(x):
    # YOUR CODE HERE
    raise NotImplementedError()','174d52ac35ed6e03b11b4698e9aacfac','f65a4b9e1ec95032e17c763604022920');
INSERT INTO "source_cell" VALUES('db18fbd86d5109a41a7218ba61486c1d','interface_triple','code',1,'# triple is what the reference says
from examiner_checks import check_equal
### BEGIN HIDDEN TESTS
check_equal(triple(14), reference.triple(14), hint="Three times.")
### END HIDDEN TESTS','95a38706a9990b0826643117528b3368','f65a4b9e1ec95032e17c763604022920');
INSERT INTO "source_cell" VALUES('e808b4e2a0c1528a9b9555c7c223648b','speed_triple','code',1,'# triple takes no detour
from examiner_checks import rng, speed
### BEGIN HIDDEN TESTS
draw = rng("speed_triple")
speed(triple, reference.triple, lambda: (draw.normal(size=50_000),), at_most=2.0)
### END HIDDEN TESTS','f34e41135b0dce3dfef515bba2dcb1da','f65a4b9e1ec95032e17c763604022920');
CREATE TABLE student (
	id VARCHAR(128) NOT NULL, 
	first_name VARCHAR(128), 
	last_name VARCHAR(128), 
	email VARCHAR(128), 
	lms_user_id VARCHAR(128), 
	PRIMARY KEY (id)
);
INSERT INTO "student" VALUES('anna','Anna','Adams, MSc','anna@example.org','11');
INSERT INTO "student" VALUES('ben','Bjørn','Brown','ben@example.org','12');
INSERT INTO "student" VALUES('carl','Carl','Cole','carl@example.org','13');
INSERT INTO "student" VALUES('emil','Emil','Evans','emil@example.org','14');
INSERT INTO "student" VALUES('dora',NULL,NULL,NULL,NULL);
CREATE TABLE submitted_assignment (
	id VARCHAR(32) NOT NULL, 
	assignment_id VARCHAR(32), 
	student_id VARCHAR(128), 
	timestamp DATETIME, 
	extension DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (assignment_id, student_id), 
	FOREIGN KEY(assignment_id) REFERENCES assignment (id), 
	FOREIGN KEY(student_id) REFERENCES student (id)
);
INSERT INTO "submitted_assignment" VALUES('67fc2fbe41d254c301513c87d4869c6b','d6e45c4feca843f7608c070025edaa77','anna','2026-09-20 12:00:00.000000',NULL);
INSERT INTO "submitted_assignment" VALUES('f471668f318d62b8a2699bd3ebe84c8e','d6e45c4feca843f7608c070025edaa77','ben','2026-09-20 12:00:00.000000',NULL);
INSERT INTO "submitted_assignment" VALUES('f1f637468af3e1a13a9fc9b89890e0e8','d6e45c4feca843f7608c070025edaa77','carl','2026-09-20 12:00:00.000000',NULL);
INSERT INTO "submitted_assignment" VALUES('8f9a69ddd1f3280f3c971448b9f3a28a','d6e45c4feca843f7608c070025edaa77','dora','2026-09-21 21:59:59.000000',NULL);
INSERT INTO "submitted_assignment" VALUES('4cf351ef48ba57e3399d124e0a71a127','b9354dd9c4b61c5c5f37f33260a8decb','anna','2026-10-01 08:30:00.000000',NULL);
INSERT INTO "submitted_assignment" VALUES('64fc1e775ad48124967ff67e9b05d360','b9354dd9c4b61c5c5f37f33260a8decb','ben','2026-10-06 09:00:00.000000',NULL);
INSERT INTO "submitted_assignment" VALUES('6c2ba3bcf6fe694255018a9938a6d194','b9354dd9c4b61c5c5f37f33260a8decb','carl','2026-10-01 08:30:00.000000',NULL);
CREATE TABLE submitted_notebook (
	id VARCHAR(32) NOT NULL, 
	assignment_id VARCHAR(32), 
	notebook_id VARCHAR(32), 
	flagged BOOLEAN, 
	late_submission_penalty FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (notebook_id, assignment_id), 
	FOREIGN KEY(assignment_id) REFERENCES submitted_assignment (id), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "submitted_notebook" VALUES('897719c8db3da0c439c9777114b34d66','67fc2fbe41d254c301513c87d4869c6b','5109fb59c1ff5e58455602433f1e666c',0,NULL);
INSERT INTO "submitted_notebook" VALUES('7833939c74b0fd7c1f180ee4b8f062f9','f471668f318d62b8a2699bd3ebe84c8e','5109fb59c1ff5e58455602433f1e666c',0,NULL);
INSERT INTO "submitted_notebook" VALUES('a27f9d1bdb0444bd7835aff85d786f2e','f1f637468af3e1a13a9fc9b89890e0e8','5109fb59c1ff5e58455602433f1e666c',1,NULL);
INSERT INTO "submitted_notebook" VALUES('e10620e778124f9e42752f8ecb5a7d34','8f9a69ddd1f3280f3c971448b9f3a28a','5109fb59c1ff5e58455602433f1e666c',0,NULL);
INSERT INTO "submitted_notebook" VALUES('d52033aefa4a584f79c153b8cdee6649','4cf351ef48ba57e3399d124e0a71a127','f65a4b9e1ec95032e17c763604022920',0,NULL);
INSERT INTO "submitted_notebook" VALUES('b4b2db22da1133bb1301ce889e44da67','64fc1e775ad48124967ff67e9b05d360','f65a4b9e1ec95032e17c763604022920',0,10.0);
INSERT INTO "submitted_notebook" VALUES('6cdc1666b53d1c1f9be95615e39606d5','6c2ba3bcf6fe694255018a9938a6d194','f65a4b9e1ec95032e17c763604022920',0,NULL);
CREATE TABLE task_cells (
	id VARCHAR(32) NOT NULL, 
	max_score FLOAT NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
COMMIT;
