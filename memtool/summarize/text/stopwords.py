"""Word lists: what no one searches for, and what everyone's sessions are full of. Data only."""

from __future__ import annotations

_ENGLISH = """
e.g i.e a able about above across actually after again against ago all almost along already also although always am
among an and another any anyone anything anyway are aren around as ask at away back basically be because become been
before behind being below best better between both but by call came can cannot cant come comes could couldn
currently definitely did didn different do does doesn doing don done down during each either else enough especially
etc even ever every everyone everything exactly far few find first five following for found four from further gave
get gets getting give given gives go goes going gone good got great had has hasn have haven having he hello help
hence her here hers hey hi him his hm hmm how however i ie eg if im in indeed instead interesting into is isn it its
itself ive just keep kind know known knows last later least less let lets like likely little ll look looking looks
lot made mainly make makes making many may maybe me mean means might mine minor more most mostly much must my myself
near need needed needs neither never new next no nobody none nor not nothing notice noticed now of off often oh ok
okay old on once one ones only onto or other others otherwise our ours out over own perfect perhaps please possible
pretty probably pre-existing put quite rather re ready really right said same saw say says see seem seems seen
several shall she should shouldn show shows similar simple simply since so some specifically somehow someone
something sometimes soon sorry still stuff such sure take taken takes tell than thank thanks that thats the their
theirs them then there therefore these they thing things think this those though three through thus to together too
took toward towards tried try trying turn two under unless until up upon us use used uses using usually ve very via
wait want wanted wants was wasn way ways we well went were weren what whatever when where whether which while who
whole whom whose why will with within without won would wouldn yeah yep yes yet you your yours yourself
aww btw bye cuz gonna gotta haha kinda lol nah nope omg ugh wanna whoa wow yay ya yo yup
"""
_GERMAN = """
aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist bitte da dabei damit danach dann
das dass dein deine dem den denn der des dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein
eine einem einen einer eines er es etwas euch für gegen haben hat hatte hier hinter ich ihm ihn ihnen ihr ihre im in
ist ja jede jedem jeden jeder jedes jetzt kann kannst kein keine keinen können machen mein meine mich mir mit nach
nicht nichts noch nun nur ob oder ohne schon sehr sein seine sich sie sind so soll sollen sollte sollten sondern
über um und uns unser unsere unter vom von vor war waren warum was wenn wer werden wie wieder wir wird wo wurde
wurden zu zum zur zwischen
"""
_FRENCH = """
afin ai alors au aucun aussi autre aux avec avez avoir avons car ce cela ces cet cette chaque comme comment dans de
des deux donc dont du elle elles en encore entre est et être eu fait faire fois il ils je la le les leur leurs lui
mais mes mon même ne ni nos notre nous on ont ou où par pas peut peux plus pour pourquoi pouvez quand que quel
quelle qui quoi sa sans ses si soit son sont sous sur ta te tes toi ton tous tout toute très tu un une va vers vos
votre vous
"""
_SPANISH = """
al algo ante antes así aunque cada como con contra cual cuando cómo de del desde donde dos el ella ellas ellos en
entre era es esa ese eso esta estaba está están este esto estos favor fue ha hacer hasta hay la las le les lo los me
mi mientras muy más nada ni no nos o otra otro para pero poco por porque puede puedes que qué quién se sea ser si
sin sobre son su sus sí también tan te tiene todo todos tu un una uno unos usted y ya yo
"""
STOP_WORDS = frozenset(f"{_ENGLISH} {_GERMAN} {_FRENCH} {_SPANISH}".split())
"""Function words and the small talk of sessions, lower case."""

_GENERIC = """
appear appears appeared caused causes complain complains future adding continue continuing happened checking
information consider suggest fully existing updating remaining access action actual add added additional allow
answer approach area available base bit block bool branch bug build case cause change changes check checks ci class
clean clear cli code com command commands commit complete confirm content context correct create created current
data default define delete description detail details dict directory docs document edit empty ensure entry error
errors example exist existing expected explain explore fail failed failing failure false feature field file files
final fix fixed fmt folder format full function functions handle happen help home http https id idea ids implement
implementation import include info input int issue issues item items json key level line lines lint linter list
location main method methods minute missing mode modified module move multiple name named names none note null
number object open option options order org output part pass path paths place plan point points pr problem process
project properly pull push question quick quickly read reading related remove repo repository request require
required response result results return returns review root run running save script search second section self set
setup single source src start state statement status step steps stop str string structure suite summary support
system task tasks test tests text thing time tmp todo tool total true try tuple type types undefined understand
update updated upstream user usr valid value values var variable verify version view warning work working works
write written www
amazing amazed awesome beautiful big cherish congrats cool enjoy excited exciting fantastic favorite feel feeling
feelings feels felt fun glad happy hard hear heard hope incredible important long lot lots love loved lovely luck
moment moments people proud seeing sound sounds special talk tough wish wonderful week weeks weekend year years
yesterday tonight
"""
GENERIC_WORDS = frozenset(_GENERIC.split())
"""Words of the trade: they count, but little, since every session has them."""
